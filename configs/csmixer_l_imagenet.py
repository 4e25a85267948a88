# CS-Mixer-L on ImageNet-1k, the one size that the paper gives.
_base_ = './csmixer_t_imagenet.py'
model = dict(backbone=dict(arch='l', drop_path_rate=0.5), head=dict(in_channels=1024))
