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
short = {
    'model.backbone.arch': 'd256-l8-k5-p4',  # a quarter of the tokens
    'train_dataloader.dataset.pipeline': short_pipeline,
}
budgets = dict(
    full=dict(steps=39000),  # 100 epochs
    # 15 epochs: 20 to 50 minutes of a CPU core
    medium=dict(short, steps=5850),
    # the laptop's, tested on every tenth training picture, which the others are without: which
    # learning rate is a network's best
    **{
        f'lr-{lr}': {
            **short,
            'steps': 390,
            'lr': lr,
            'train_dataloader.dataset.split': 'train_without_val',
            'test_dataloader.dataset.split': 'val',
        }
        for lr in (5e-4, 1e-3, 2e-3, 4e-3)
    },
    # one epoch: two to six minutes of a CPU core
    laptop=dict(short, steps=390),
    # for a look at the machinery, on generated data
    tiny={
        **short,
        'steps': 40,
        'train_dataloader.batch_size': 16,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
