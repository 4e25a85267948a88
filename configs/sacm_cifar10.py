# SA-ConvMixer 256/8/7/2 on CIFAR-10, the paper's size; the recipe is ours.
_base_ = [
    './_base_/models/sa_convmixer_cls.py',
    './_base_/datasets/cifar10.py',
    './_base_/schedules/adamw_onecycle_150e.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
optim_wrapper = dict(optimizer=dict(weight_decay=5e-3))
train_cfg = dict(max_epochs=100)
