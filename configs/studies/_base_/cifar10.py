# SA-ConvMixer on CIFAR-10, and what the budgets of its studies mean.
_base_ = [
    './cls.py',
    '../../_base_/models/sa_convmixer_cls.py',
    '../../_base_/datasets/cifar10.py',
]
# too few epochs for strong augmentation
short_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
model = dict(backbone=dict(arch='d256-l8-k5-p2'))
optim_wrapper = dict(optimizer=dict(weight_decay=0.01))
train_dataloader = dict(sampler=dict(type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
budgets = dict(
    full=dict(steps=39000),  # 100 epochs
    # 15 epochs, a quarter of the tokens: at most 45 minutes on two cores
    medium={
        'steps': 5850,
        'model.backbone.arch': 'd256-l8-k5-p4',
        'train_dataloader.dataset.pipeline': short_pipeline,
    },
    # one epoch, a quarter of the tokens: about two minutes on two cores
    laptop={
        'steps': 390,
        'model.backbone.arch': 'd256-l8-k5-p4',
        'train_dataloader.dataset.pipeline': short_pipeline,
    },
    # for a look at the machinery, on generated data
    tiny={
        'steps': 40,
        'model.backbone.arch': 'd256-l8-k5-p4',
        'train_dataloader.dataset.pipeline': short_pipeline,
        'train_dataloader.batch_size': 16,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
