# Is pixel shuffle better than patch convolution? On CamVid.
_base_ = './_base_/camvid.py'
# Glorot's bound counts the fan-out of an r x r kernel r * r times: these two stems start unlike
glorot = dict(type='Xavier', layer='Conv2d', distribution='uniform')
study = dict(
    title='Pixel unshuffle or patch convolution: CamVid',
    about='SA-ConvMixer 256/8/5/5 with its pixel-shuffle head; only the stem differs. The two '
    'stems compute the same functions. With the default initialisation of PyTorch they also start '
    'from the same one, bit for bit, when the seed is the same. With the Glorot initialisation, '
    "the default of Keras and so of the authors' dense networks, they do not: the weights of the "
    'pixel unshuffle start larger.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
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
