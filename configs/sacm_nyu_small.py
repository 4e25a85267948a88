# SA-ConvMixer 256/12/5/8 with rising dilations on NYU Depth v2 at 240x320, 0.9 M parameters: two
# hours on one core. The gradients of depth are in the loss, and edges in the evaluation.
_base_ = './sacm_nyu_light.py'
model = dict(
    backbone=dict(arch='d256-l12-k5-p8-dil1248', out_indices=(2, 5, 8, 11)),
    decode_head=dict(
        in_channels=[256] * 4,
        in_index=[0, 1, 2, 3],
        loss_decode=[
            dict(type='sacm_mm.SiLogLoss', lambd=0.5),
            dict(type='sacm_mm.DepthGradientLoss', loss_weight=0.5),
        ],
    ),
)
max_iters = 4200  # 42 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=200))
val_evaluator = dict(edges=True)
test_evaluator = val_evaluator
