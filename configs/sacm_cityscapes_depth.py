# SA-ConvMixer 256/12/5/8 on Cityscapes at 512x1024, depth in metres.
_base_ = [
    './_base_/models/sa_convmixer_depth.py',
    './_base_/datasets/cityscapes_depth.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
max_depth = 80.0
model = dict(
    backbone=dict(arch='d256-l12-k5-p8'), decode_head=dict(upscale_factor=8, max_depth=max_depth)
)
visualizer = dict(max_depth=max_depth)
val_evaluator = dict(protocol='cityscapes')
test_evaluator = val_evaluator
