# ConvMLP-M on ImageNet-1k.
_base_ = './convmlp_s_imagenet.py'
model = dict(backbone=dict(arch='m'))
