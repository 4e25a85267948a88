# SA-ConvMixer 256/8/5/2 on CIFAR-10.
_base_ = [
    './_base_/models/sa_convmixer_cls.py',
    './_base_/datasets/cifar10_folders.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
max_epochs = 25
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=5e-3, eps=1e-3),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=1e-2,
    total_steps=max_epochs,
    convert_to_iter_based=True,
    by_epoch=True,
)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
