# Is pixel shuffle better than patch convolution? On CIFAR-10, as the paper's table asks.
_base_ = './_base_/cifar10.py'
glorot = dict(type='Xavier', layer='Conv2d', distribution='uniform')
study = dict(
    title='Pixel unshuffle or patch convolution: CIFAR-10',
    about='SA-ConvMixer 256/8/5, patch 4 (2 in the full budget); only the stem differs. The two '
    'stems compute the same functions. With the default initialisation of PyTorch they also '
    'start from the same one, bit for bit, when the seed is the same. With the Glorot '
    'initialisation, the default of Keras, they do not: the weights of the pixel unshuffle start '
    'larger.',
    metric='accuracy/top1',
    metric_name='top-1',
    unit='%',
    higher_is_better=True,
    size=(32, 32),
    seeds=(0, 1, 2),
    networks={
        'conv': dict(label='convolution', model=dict(backbone=dict(embed='conv'))),
        'pixel-unshuffle': dict(label='pixel unshuffle'),
        'conv-glorot': dict(
            label='convolution, Glorot', model=dict(backbone=dict(embed='conv', init_cfg=glorot))
        ),
        'pixel-unshuffle-glorot': dict(
            label='pixel unshuffle, Glorot', model=dict(backbone=dict(init_cfg=glorot))
        ),
    },
)
