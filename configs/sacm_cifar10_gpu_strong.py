# SA-ConvMixer 256/8/5/2 on CIFAR-10, on one GPU (--fast).
_base_ = [
    './_base_/models/sa_convmixer_cls.py',
    './_base_/datasets/cifar10_in_memory.py',
    './_base_/schedules/adamw_onecycle_150e.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
model = dict(
    data_preprocessor=dict(type='sacm_mm.ClsDataPreprocessor', augment={{_base_.augment}}),
    backbone=dict(arch='d256-l8-k5-p2'),
    head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')),
)
optim_wrapper = dict(optimizer=dict(weight_decay=5e-3))
train_cfg = dict(max_epochs=36, val_interval=36)
