# Backbones on CIFAR-10 under one recipe.
_base_ = './_base_/cifar10.py'
study = dict(
    title='Backbones on CIFAR-10',
    about='50000 training and 10000 test images of 32x32 pixels, from scratch, the same recipe for '
    'all. Networks that were made for larger images see them at strides of up to 32 pixels. The '
    "paper's SA-ConvMixer has patches of 2 pixels; with 4 it costs what the others cost.",
    metric='accuracy/top1',
    metric_name='top-1',
    unit='%',
    higher_is_better=True,
    size=(32, 32),
    networks={
        'sa-convmixer': dict(label='SA-ConvMixer 256/8/5/4', backbone='sa-convmixer-d256-l8-k5-p4'),
        'convmixer': dict(
            label='ConvMixer 256/8/5/4',
            backbone=dict(
                type='mmpretrain.ConvMixer',
                arch=dict(embed_dims=256, depth=8, patch_size=4, kernel_size=5),
                act_cfg=dict(type='GELU'),
            ),
        ),
        'resnet18': dict(label='ResNet-18', backbone='mmpretrain:resnet/18'),
        'convmlp-s': dict(label='ConvMLP-S', backbone='convmlp-s'),
        'convnext-atto': dict(label='ConvNeXt-atto', backbone='mmpretrain:convnext/atto'),
        'poolformer-s12': dict(label='PoolFormer-S12', backbone='mmpretrain:poolformer/s12'),
        'sa-convmixer-p2': dict(
            label='SA-ConvMixer 256/8/5/2',
            backbone='sa-convmixer-d256-l8-k5-p2',
            budgets=['full'],
        ),
        'resnet18-cifar': dict(
            label='ResNet-18, stride 1 stem',
            backbone=dict(type='mmpretrain.ResNet_CIFAR', depth=18),
            budgets=['full'],
        ),
    },
)
# the best rates of the trials (results/lr_cifar10)
rates = {
    'sa-convmixer': 2e-3,
    'convmixer': 2e-3,
    'resnet18': 4e-3,
    'convmlp-s': 5e-4,
    'convnext-atto': 2e-3,
    'poolformer-s12': 4e-3,
}
budgets = dict(medium=dict(lr=rates))
