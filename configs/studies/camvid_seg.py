# Backbones of similar size on CamVid, from scratch, under one recipe and one head.
_base_ = './_base_/camvid.py'
sacm = 'sa-convmixer-d256-l8-k5-p5'
own_head = dict(
    _delete_=True,
    type='sacm_mm.PixelShuffleHead',
    in_channels=256,
    upscale_factor=5,
    num_classes=11,
    loss_decode={{_base_.loss}},
)
model = dict(
    backbone=dict(_delete_=True, type='sacm_mm.ConvMLP', arch='s', out_indices=(0, 1, 2, 3)),
    decode_head=dict(
        _delete_=True,
        type='UPerHead',
        in_channels=[64, 128, 256, 512],
        in_index=[0, 1, 2, 3],
        channels=64,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode={{_base_.loss}},
    ),
)
study = dict(
    title='Backbones on CamVid',
    about='Trained from scratch on 367 images of 480x360 pixels and tested on 233, 11 classes, '
    'the same recipe for all. All have a slim UPerNet on maps of the strides 4, 8, 16 and 32; one '
    'row has the pixel-shuffle head of the paper instead. Isotropic backbones reach those strides '
    'through the pixel-shuffle pyramid. Tested in windows of the size of the training crops.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
    networks={
        'sa-convmixer': dict(
            label='SA-ConvMixer 256/8/5/5, pixel shuffle',
            model=dict(
                backbone=dict(_delete_=True, type='sacm_mm.SAConvMixer', arch='d256-l8-k5-p5'),
                decode_head=own_head,
            ),
        ),
        'sa-convmixer-pyramid': dict(label='SA-ConvMixer 256/8/5/5', backbone=sacm),
        'convmixer': dict(
            label='ConvMixer 256/8/5/5',
            backbone=dict(
                type='mmpretrain.ConvMixer',
                arch=dict(embed_dims=256, depth=8, patch_size=5, kernel_size=5),
                act_cfg=dict(type='GELU'),
            ),
        ),
        'convmlp-s': dict(label='ConvMLP-S', backbone='convmlp-s'),
        'cs-mixer-t': dict(label='CS-Mixer-T', backbone='cs-mixer-t'),
        'resnet18': dict(label='ResNet-18', backbone='mmpretrain:resnet/18'),
        'convnext-atto': dict(label='ConvNeXt-atto', backbone='mmpretrain:convnext/atto'),
        'poolformer-s12': dict(label='PoolFormer-S12', backbone='mmpretrain:poolformer/s12'),
        'mit-b0': dict(label='MiT-B0', backbone='mmseg:mit-b0'),
        'swin-t': dict(label='Swin-T', backbone='mmpretrain:swin/tiny', budgets=['full']),
        'hornet-t': dict(label='HorNet-T', backbone='mmpretrain:hornet/tiny', budgets=['full']),
        'inceptionnext-t': dict(
            label='InceptionNeXt-T', backbone='timm:inception_next_tiny', budgets=['full']
        ),
    },
    keep_weights=['sa-convmixer'],
)
# UPerNet pools over the whole map: after few steps on crops it is wrong on larger images, by up to
# 13 points of mIoU. Tested in windows of the crops' size all networks see what they have learned
budgets = dict(
    full={'model.test_cfg': dict(mode='slide', crop_size=(320, 320), stride=(40, 160))},
    laptop={'model.test_cfg': dict(mode='slide', crop_size=(192, 192), stride=(168, 144))},
    tiny={'model.test_cfg': dict(mode='slide', crop_size=(64, 64), stride=(64, 64))},
)
