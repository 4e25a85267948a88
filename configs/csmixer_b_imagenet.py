# CS-Mixer-B on ImageNet-1k; the paper does not confirm its size.
_base_ = './csmixer_t_imagenet.py'
model = dict(backbone=dict(arch='b', drop_path_rate=0.3), head=dict(in_channels=768))
