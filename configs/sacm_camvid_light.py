# SA-ConvMixer 256/8/5/5 on CamVid, for laptops: about 35 minutes on two cores with --amp.
_base_ = './sacm_camvid.py'
model = dict(
    backbone=dict(arch='d256-l8-k5-p5'),
    decode_head=dict(
        in_channels=256,
        loss_decode=dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}}),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 3680  # 40 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
