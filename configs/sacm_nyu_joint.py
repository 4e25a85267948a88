# One SA-ConvMixer 256/12/5/5 for depth and 39 classes on NYU Depth v2 at 480x640.
_base_ = [
    './_base_/models/sa_convmixer_joint.py',
    './_base_/datasets/nyu_joint.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='sacm_mm.DepthMetric', protocol='nyu_eigen'),
]
test_evaluator = val_evaluator
