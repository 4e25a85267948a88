# SA-ConvMixer 256/8/5/2 on CIFAR-10, 0.59 M parameters, by the recipe of the nano in four hours
# of a CPU core (--fast).
_base_ = './sacm_cifar10_nano.py'
model = dict(backbone=dict(arch='d256-l8-k5-p2'), head=dict(in_channels=256))
