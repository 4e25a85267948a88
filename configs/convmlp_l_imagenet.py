# ConvMLP-L on ImageNet-1k.
_base_ = './convmlp_s_imagenet.py'
model = dict(backbone=dict(arch='l'), head=dict(in_channels=768))
