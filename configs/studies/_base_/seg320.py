# Segmentation at 320x320 with UPerNet, and what the budgets of its studies mean.
_base_ = ['./seg.py', '../../_base_/models/csmixer_upernet.py']
model = dict(backbone=dict(drop_path_rate=0.0), decode_head=dict(channels=256), auxiliary_head=None)
# UPerNet pools over the whole map: tested in windows of the size of the training crops
budgets = dict(
    full={
        'steps': 80000,
        'train_dataloader.batch_size': 16,
        'model.test_cfg': dict(mode='slide', crop_size=(320, 320), stride=(213, 213)),
    },
    # half the resolution, a slim head: up to ten minutes on two cores, most of them for the test
    laptop={
        'steps': 250,
        'model.decode_head.channels': 64,
        'model.test_cfg': dict(mode='slide', crop_size=(128, 128), stride=(85, 85)),
        'scale': (640, 160),
        'crop_size': (128, 128),
    },
    tiny={
        'steps': 40,
        'model.decode_head.channels': 32,
        'model.test_cfg': dict(mode='slide', crop_size=(64, 64), stride=(64, 64)),
        'scale': (256, 64),
        'crop_size': (64, 64),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
networks = {
    'sa-convmixer': dict(label='SA-ConvMixer 512/12/5/5', backbone='sa-convmixer-d512-l12-k5-p5'),
    'convmixer': dict(
        label='ConvMixer 512/12/5/5',
        backbone=dict(
            type='mmpretrain.ConvMixer',
            arch=dict(embed_dims=512, depth=12, patch_size=5, kernel_size=5),
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
    'inceptionnext-t': dict(
        label='InceptionNeXt-T', backbone='timm:inception_next_tiny', budgets=['full']
    ),
    'maxvit-t': dict(label='MaxViT-T', backbone='timm:maxvit_tiny_tf_224', budgets=['full']),
}
