# SA-ConvMixer 256/8/5/5 on CamVid, for laptops: about half an hour with --amp on two cores.
_base_ = './sacm_camvid.py'
max_iters = 4600
model = dict(
    backbone=dict(arch='d256-l8-k5-p5'),
    decode_head=dict(in_channels=256),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
param_scheduler = dict(eta_max=3e-3, total_steps=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
