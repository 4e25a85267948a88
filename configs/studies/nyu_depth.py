# Backbones for metric depth on NYU Depth v2 under one recipe.
_base_ = [
    './_base_/depth.py',
    '../_base_/models/sa_convmixer_depth.py',
    '../_base_/datasets/nyu_half.py',
]
own_head = dict(in_channels=256, in_index=-1, upscale_factor=8)
model = dict(
    backbone=dict(_delete_=True, type='sacm_mm.ConvMLP', arch='s', out_indices=(0, 1, 2, 3)),
    decode_head=dict(
        in_channels=[64, 128, 256, 512],
        in_index=[0, 1, 2, 3],
        upscale_factor=4,
        # an image's scale is as hard as its shape
        loss_decode=dict(type='sacm_mm.SiLogLoss', lambd=0.5),
    ),
)
train_dataloader = dict(sampler=dict(type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
rates = (5e-4, 1e-3, 2e-3, 4e-3)
study = dict(
    title='Backbones for depth on NYU Depth v2',
    about='795 training and 654 test images at 320x240 pixels (160x120 on a laptop), from scratch, '
    "the same recipe for all; Eigen's protocol, at the full 640x480. Learning rates are chosen on "
    '95 of the training images, by training on the other 700. The pixel-shuffle depth head reads '
    'the four maps of a pyramid, concatenated at stride 4; one row has the one map of its '
    'isotropic backbone, at stride 8.',
    metric='nyu_eigen/abs_rel',
    metric_name='abs rel',
    unit='',
    higher_is_better=False,
    size=(240, 320),
    networks={
        'sa-convmixer': dict(
            label='SA-ConvMixer 256/12/5/8',
            model=dict(
                backbone=dict(_delete_=True, type='sacm_mm.SAConvMixer', arch='d256-l12-k5-p8'),
                decode_head=own_head,
            ),
        ),
        'sa-convmixer-dil': dict(
            label='SA-ConvMixer 256/12/5/8, dilations',
            model=dict(
                backbone=dict(
                    _delete_=True, type='sacm_mm.SAConvMixer', arch='d256-l12-k5-p8-dil1248'
                ),
                decode_head=own_head,
            ),
            budgets=['full', 'medium', *(f'lr-{lr}' for lr in rates)],
        ),
        'convmlp-s': dict(label='ConvMLP-S', backbone='convmlp-s'),
        'resnet18': dict(label='ResNet-18', backbone='mmpretrain:resnet/18'),
        'convnext-atto': dict(label='ConvNeXt-atto', backbone='mmpretrain:convnext/atto'),
        'poolformer-s12': dict(label='PoolFormer-S12', backbone='mmpretrain:poolformer/s12'),
        'mit-b0': dict(label='MiT-B0', backbone='mmseg:mit-b0'),
        'cs-mixer-t': dict(label='CS-Mixer-T', backbone='cs-mixer-t', budgets=['full']),
        'swin-t': dict(label='Swin-T', backbone='mmpretrain:swin/tiny', budgets=['full']),
    },
)
small = {'size': (120, 160), 'scale': (160, 120)}
budgets = dict(
    full=dict(steps=10000),  # 100 epochs
    # 40 epochs: 30 to 90 minutes of a CPU core; the best rates of the trials below
    medium=dict(
        small,
        steps=4000,
        lr={
            'sa-convmixer': 1e-3,
            'sa-convmixer-dil': 2e-3,
            'convmlp-s': 1e-3,
            'resnet18': 2e-3,
            'convnext-atto': 4e-3,
            'poolformer-s12': 4e-3,
            'mit-b0': 5e-4,
        },
    ),
    # the laptop's, on 700 of the training pictures and tested on the other 95: which learning rate
    # is a network's best
    **{
        f'lr-{lr}': {
            **small,
            'steps': 1000,
            'lr': lr,
            'train_dataloader.dataset.indices': 700,
            'test_dataloader.dataset.indices': -95,
            'test_dataloader.dataset.data_prefix': dict(
                img_path='images/train', depth_map_path='annotations/train'
            ),
        }
        for lr in rates
    },
    # 10 epochs: three to ten minutes of a CPU core
    laptop=dict(small, steps=1000),
    tiny={
        'steps': 40,
        'size': (72, 96),
        'scale': (96, 72),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
