# Backbones on ImageNet-1k under one recipe.
_base_ = [
    './_base_/cls.py',
    '../_base_/models/sa_convmixer_cls.py',
    '../_base_/datasets/imagenet.py',
]
model = dict(head=dict(num_classes=1000), data_preprocessor=dict(num_classes=1000))
train_dataloader = dict(
    batch_size=128, sampler=dict(type='sacm_mm.ReplayedInfiniteSampler', shuffle=True)
)
val_dataloader = None
study = dict(
    title='Backbones on ImageNet-1k',
    about='1.28 million training and 50000 test images, from scratch, the same recipe for all.',
    metric='accuracy/top1',
    metric_name='top-1',
    unit='%',
    higher_is_better=True,
    size=(224, 224),
    networks={
        'sa-convmixer': dict(
            label='SA-ConvMixer 768/32/7/7', backbone='sa-convmixer-d768-l32-k7-p7'
        ),
        'convmixer': dict(
            label='ConvMixer 768/32/7/7',
            backbone=dict(
                type='mmpretrain.ConvMixer',
                arch=dict(embed_dims=768, depth=32, patch_size=7, kernel_size=7),
                act_cfg=dict(type='GELU'),
            ),
        ),
        'convmlp-m': dict(label='ConvMLP-M', backbone='convmlp-m'),
        'cs-mixer-t': dict(label='CS-Mixer-T', backbone='cs-mixer-t'),
        'resnet50': dict(label='ResNet-50', backbone='mmpretrain:resnet/50'),
        'convnext-t': dict(label='ConvNeXt-T', backbone='mmpretrain:convnext/tiny'),
        'poolformer-s24': dict(label='PoolFormer-S24', backbone='mmpretrain:poolformer/s24'),
        'mit-b1': dict(label='MiT-B1', backbone='mmseg:mit-b1'),
        'swin-t': dict(label='Swin-T', backbone='mmpretrain:swin/tiny'),
        'hornet-t': dict(label='HorNet-T', backbone='mmpretrain:hornet/tiny'),
        't2t-14': dict(label='T2T-ViT-14', backbone='mmpretrain:t2t-vit', budgets=['full']),
        'inceptionnext-t': dict(
            label='InceptionNeXt-T', backbone='timm:inception_next_tiny', budgets=['full']
        ),
        'maxvit-t': dict(label='MaxViT-T', backbone='timm:maxvit_tiny_tf_224', budgets=['full']),
    },
)
budgets = dict(
    full=dict(steps=1000000),  # 100 epochs
    # images of 96x96, 500 of the test: up to ten minutes on two cores
    laptop={
        'steps': 150,
        'train_dataloader.batch_size': 32,
        'train_dataloader.num_workers': 2,
        'crop_size': 96,
        'short_edge': 100,
        'test_dataloader.dataset.indices': list(range(0, 50000, 100)),
    },
    tiny={
        'steps': 20,
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'crop_size': 64,
        'short_edge': 72,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
