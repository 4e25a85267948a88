# SA-ConvMixer 1536/20/9/7 on ImageNet-1k.
_base_ = './sacm_imagenet.py'
model = dict(backbone=dict(arch='d1536-l20-k9-p7'), head=dict(in_channels=1536))
