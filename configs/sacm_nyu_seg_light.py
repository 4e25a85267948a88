# SA-ConvMixer 256/12/5/8 for 39 classes on NYU Depth v2 at 240x320: the joint one without depth.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/nyu_half.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(
    backbone=dict(arch='d256-l12-k5-p8'),
    decode_head=dict(in_channels=256, upscale_factor=8, num_classes=39),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/train')))
val_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/test')))
test_dataloader = val_dataloader
max_iters = 3000  # 30 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
