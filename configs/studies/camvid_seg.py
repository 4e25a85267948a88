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
# of one 1x1 convolution, as the head of the paper: all maps at the stride of the largest
shuffle = dict(
    _delete_=True,
    type='sacm_mm.PixelShuffleHead',
    in_index=[0, 1, 2, 3],
    num_classes=11,
    loss_decode={{_base_.loss}},
)
# whole models of mmsegmentation have the heads that they were made with
trials = ['lr-0.001', 'lr-0.002', 'lr-0.004']
longer = ['full', 'medium', *trials, 'tiny']
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
    about='Trained from scratch on 367 images of 480x360 pixels and tested on 233, trials of '
    'learning rates on the 101 of val, 11 classes, the same recipe for all. Most have a slim '
    'UPerNet on maps of the strides 4, 8, 16 and 32; "pixel shuffle" is the head of the paper '
    'instead, and whole models have their own. Isotropic backbones reach those strides '
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
        'sa-convmixer-dil': dict(
            label='SA-ConvMixer 128/8/5/5, dilations, four blocks, pixel shuffle',
            model=dict(
                backbone=dict(
                    _delete_=True,
                    type='sacm_mm.SAConvMixer',
                    arch='d128-l8-k5-p5-dil1248',
                    out_indices=(1, 3, 5, 7),
                ),
                decode_head=dict(in_channels=[128] * 4, upscale_factor=5, **shuffle),
            ),
            budgets=longer,
        ),
        'sa-convmixer-dil256': dict(
            label='SA-ConvMixer 256/8/5/5, dilations, four blocks, pixel shuffle',
            model=dict(
                backbone=dict(
                    _delete_=True,
                    type='sacm_mm.SAConvMixer',
                    arch='d256-l8-k5-p5-dil1248',
                    out_indices=(1, 3, 5, 7),
                ),
                decode_head=dict(in_channels=[256] * 4, upscale_factor=5, **shuffle),
            ),
            budgets=longer,
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
        'resnet18-shuffle': dict(
            label='ResNet-18, pixel shuffle',
            backbone='mmpretrain:resnet/18',
            model=dict(
                decode_head=dict(in_channels=[64, 128, 256, 512], upscale_factor=4, **shuffle)
            ),
            budgets=longer,
        ),
        'mit-b0-shuffle': dict(
            label='MiT-B0, pixel shuffle',
            backbone='mmseg:mit-b0',
            model=dict(
                decode_head=dict(in_channels=[64, 128, 256, 512], upscale_factor=4, **shuffle)
            ),
            budgets=longer,
        ),
        'cgnet': dict(label='CGNet', whole='mmseg:cgnet', budgets=longer),
        'erfnet': dict(label='ERFNet', whole='mmseg:erfnet_fcn', budgets=longer),
        'fast-scnn': dict(label='Fast-SCNN', whole='mmseg:fast_scnn', budgets=longer),
        'bisenetv1': dict(label='BiSeNetV1', whole='mmseg:bisenetv1_r18-d32', budgets=longer),
        'stdc1': dict(label='STDC1', whole='mmseg:stdc', budgets=longer),
        'segformer-b0': dict(label='SegFormer-B0', whole='mmseg:segformer_mit-b0', budgets=longer),
        'swin-t': dict(label='Swin-T', backbone='mmpretrain:swin/tiny', budgets=['full']),
        'hornet-t': dict(label='HorNet-T', backbone='mmpretrain:hornet/tiny', budgets=['full']),
        'inceptionnext-t': dict(
            label='InceptionNeXt-T', backbone='timm:inception_next_tiny', budgets=['full']
        ),
    },
)
# the best rates of the trials (results/lr_camvid)
rates = {
    'sa-convmixer': 4e-3,
    'sa-convmixer-dil': 2e-3,
    'sa-convmixer-dil256': 4e-3,
    'sa-convmixer-pyramid': 2e-3,
    'convmixer': 4e-3,
    'convmlp-s': 2e-3,
    'cs-mixer-t': 2e-3,
    'resnet18': 4e-3,
    'convnext-atto': 4e-3,
    'poolformer-s12': 4e-3,
    'mit-b0': 2e-3,
    'resnet18-shuffle': 2e-3,
    'mit-b0-shuffle': 2e-3,
    'cgnet': 2e-3,
    'erfnet': 2e-3,
    'fast-scnn': 2e-3,
    'bisenetv1': 1e-3,
    'stdc1': 1e-3,
    'segformer-b0': 1e-3,
}
# UPerNet pools over the whole map: after few steps on crops it is wrong on larger images, by up to
# 13 points of mIoU. Tested in windows of the crops' size all networks see what they have learned
budgets = dict(
    full={'model.test_cfg': dict(mode='slide', crop_size=(320, 320), stride=(40, 160))},
    **{
        trial: {'model.test_cfg': dict(mode='slide', crop_size=(192, 192), stride=(168, 144))}
        for trial in trials
    },
    medium={
        'lr': rates,
        'model.test_cfg': dict(mode='slide', crop_size=(320, 320), stride=(40, 160)),
    },
    laptop={'model.test_cfg': dict(mode='slide', crop_size=(192, 192), stride=(168, 144))},
    tiny={'model.test_cfg': dict(mode='slide', crop_size=(64, 64), stride=(64, 64))},
)
