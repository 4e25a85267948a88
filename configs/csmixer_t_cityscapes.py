# CS-Mixer-T with UPerNet on Cityscapes at 512x1024; the recipe is ours.
_base_ = [
    './_base_/models/csmixer_upernet.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(decode_head=dict(num_classes=19), auxiliary_head=dict(num_classes=19))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
max_iters = 80000
train_cfg = dict(max_iters=max_iters, val_interval=8000)
