# sacm_nyu_nano.py and sacm_nyu_nano_seg.py in one network.
_base_ = [
    './_base_/models/sa_convmixer_joint.py',
    './_base_/datasets/nyu_quarter.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
silog = dict(type='sacm_mm.SiLogLoss', lambd=0.5)
gradient = dict(type='sacm_mm.DepthGradientLoss', loss_weight=0.1)
model = dict(
    data_preprocessor=dict(type='sacm_mm.SegDataPreProcessor', augment={{_base_.augment}}),
    backbone=dict(arch='d192-l12-k5-p8'),
    decode_head=dict(in_channels=192, upscale_factor=8),
    depth_head=dict(in_channels=192, upscale_factor=8, loss_decode=[silog, gradient]),
)
labels = dict(seg_map_path='labels40/train')
train_dataloader = dict(dataset=dict(dataset=dict(data_prefix=labels)))
val_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/test')))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 5000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
depth = dict(type='sacm_mm.DepthMetric', protocol='nyu_eigen', edges=True)
val_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), depth]
test_evaluator = val_evaluator
