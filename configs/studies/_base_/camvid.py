# SA-ConvMixer with its own head on CamVid, and what the budgets of its studies mean.
_base_ = [
    './seg.py',
    '../../_base_/models/sa_convmixer_seg.py',
    '../../_base_/datasets/camvid.py',
]
loss = dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}})
model = dict(
    backbone=dict(arch='d256-l8-k5-p5'),
    decode_head=dict(in_channels=256, num_classes=11, loss_decode=loss),
)
train_dataloader = dict(batch_size=8, sampler=dict(type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
budgets = dict(
    full=dict(steps=20000),  # 435 epochs of crops of 320x320
    medium=dict(steps=2760),  # 60 epochs of the same crops: at most 45 minutes on two cores
    # 6.5 epochs of crops of 192x192: two to six minutes on two cores
    laptop={
        'steps': 300,
        'crop_size': (192, 192),
    },
    # for a look at the machinery, on generated data
    tiny={
        'steps': 40,
        'crop_size': (64, 64),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
