# SA-ConvMixer 192/12/5/8 on NYU Depth v2 at 120x160: 50 epochs in half an hour of a CPU core
# (--fast).
_base_ = [
    './_base_/models/sa_convmixer_depth.py',
    './_base_/datasets/nyu_quarter.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
model = dict(
    data_preprocessor=dict(type='sacm_mm.SegDataPreProcessor', augment={{_base_.augment}}),
    backbone=dict(arch='d192-l12-k5-p8'),
    decode_head=dict(
        in_channels=192,
        upscale_factor=8,
        loss_decode=[
            dict(type='sacm_mm.SiLogLoss', lambd=0.5),
            dict(type='sacm_mm.DepthGradientLoss', loss_weight=0.1),
        ],
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 5000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_evaluator = dict(protocol='nyu_eigen', edges=True)
test_evaluator = val_evaluator
