# SA-ConvMixer 256/12/5/5 on KITTI, Eigen split.
_base_ = [
    './_base_/models/sa_convmixer_depth.py',
    './_base_/datasets/kitti_depth.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
max_depth = 80.0
model = dict(decode_head=dict(max_depth=max_depth))
visualizer = dict(max_depth=max_depth)
val_evaluator = dict(protocol='kitti_garg')
test_evaluator = val_evaluator
