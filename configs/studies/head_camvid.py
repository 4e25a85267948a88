# What does the pixel-shuffle head need? On CamVid.
_base_ = './_base_/camvid.py'
study = dict(
    title='What the pixel-shuffle head needs: CamVid',
    about='SA-ConvMixer 256/8/5 with patches of 4, 5 and 8 pixels; with GELU and batch norm before '
    "the shuffle, as in the authors' code, or without, as in the paper's figure; from the last "
    'block, or from four blocks concatenated.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
    seeds=(0, 1, 2),
    networks={
        'patch-5': dict(label='patch 5, last block'),
        'patch-5-act-norm': dict(
            label='patch 5, GELU and BN', model=dict(decode_head=dict(act_norm=True))
        ),
        'patch-5-four-blocks': dict(
            label='patch 5, four blocks',
            model=dict(
                backbone=dict(out_indices=(1, 3, 5, 7)),
                decode_head=dict(in_channels=[256] * 4, in_index=[0, 1, 2, 3]),
            ),
        ),
        'patch-4': dict(
            label='patch 4, last block',
            model=dict(backbone=dict(arch='d256-l8-k5-p4'), decode_head=dict(upscale_factor=4)),
        ),
        'patch-8': dict(
            label='patch 8, last block',
            model=dict(backbone=dict(arch='d256-l8-k5-p8'), decode_head=dict(upscale_factor=8)),
        ),
    },
)
