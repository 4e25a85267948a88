# SA-ConvMixer 256/8/5/2 on CIFAR-10, the paper's other kernel.
_base_ = './sacm_cifar10.py'
model = dict(backbone=dict(arch='d256-l8-k5-p2'))
