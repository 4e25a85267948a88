# What does a wider SA-ConvMixer give, and what does it cost? On CamVid.
_base_ = './_base_/camvid.py'
blocks = [1, 3, 5, 7]
widths = (64, 96, 128, 192, 256, 384)
study = dict(
    title='Widths of SA-ConvMixer: CamVid',
    about='SA-ConvMixer of 8 blocks with dilations 1, 2, 4, 8 twice over, patches of 5 pixels and '
    'the pixel-shuffle head on four blocks; only the number of channels differs.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
    networks={
        f'd{width}': dict(
            label=f'{width} channels',
            model=dict(
                backbone=dict(arch=f'd{width}-l8-k5-p5-dil1248'),
                decode_head=dict(in_channels=[width] * 4),
            ),
        )
        for width in widths
    },
)
model = dict(
    backbone=dict(arch='d256-l8-k5-p5-dil1248', out_indices=blocks),
    decode_head=dict(in_channels=[256] * 4, in_index=[0, 1, 2, 3]),
)
