# SA-ConvMixer 256/12/5/8 on NYU Depth v2 at 240x320, for laptops: --amp to train, --tta to test.
_base_ = [
    './_base_/models/sa_convmixer_depth.py',
    './_base_/datasets/nyu_half.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/depth_runtime.py',
]
silog = dict(type='sacm_mm.SiLogLoss', lambd=0.5)  # an image's scale is as hard as its shape
model = dict(
    backbone=dict(arch='d256-l12-k5-p8'), decode_head=dict(upscale_factor=8, loss_decode=silog)
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 3000  # 30 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_evaluator = dict(protocol='nyu_eigen')
test_evaluator = val_evaluator
