# SA-ConvMixer 192/12/5/8 for 39 classes on NYU Depth v2 at 120x160: 50 epochs in three quarters of
# an hour of a CPU core (--fast).
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/nyu_quarter.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(
    data_preprocessor=dict(type='sacm_mm.SegDataPreProcessor', augment={{_base_.augment}}),
    # the norms of the models of depth, which say why
    backbone=dict(arch='d192-l12-k5-p8', norm_cfg=dict(type='BN', eps=1e-3)),
    decode_head=dict(in_channels=192, upscale_factor=8, num_classes=39),
)
labels = dict(seg_map_path='labels40/train')
train_dataloader = dict(dataset=dict(dataset=dict(data_prefix=labels)))
val_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/test')))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 5000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
