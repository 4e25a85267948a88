# SA-ConvMixer 512/12/5/8 on Cityscapes at 512x1024.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/cityscapes_512x1024.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(
    backbone=dict(arch='d512-l12-k5-p8'), decode_head=dict(upscale_factor=8, num_classes=19)
)
max_iters = 80000
train_cfg = dict(max_iters=max_iters, val_interval=8000)
