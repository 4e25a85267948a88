# SA-ConvMixer 256/8/5/5 on CamVid, for laptops: about 35 minutes on two cores with --amp.
_base_ = './sacm_camvid.py'
max_iters = 3680  # 40 epochs
# 1 / sqrt(share of the training pixels), mean 1: poles, signs and people cover few pixels
class_weight = [0.34, 0.29, 1.42, 0.25, 0.66, 0.45, 1.30, 1.33, 0.58, 1.76, 2.61]
model = dict(
    backbone=dict(arch='d256-l8-k5-p5'),
    decode_head=dict(
        in_channels=256, loss_decode=dict(type='CrossEntropyLoss', class_weight=class_weight)
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
param_scheduler = dict(eta_max=3e-3, total_steps=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
