# SA-ConvMixer 256/8/5/8 with a pixel-shuffle pyramid and RetinaNet on COCO, see
# convmlp_s_retinanet_coco.py; the sizes are ours.
_base_ = './convmlp_s_retinanet_coco.py'
channels = [64, 128, 192, 256]
model = dict(
    backbone=dict(
        _delete_=True, type='sacm_mm.SAConvMixer', arch='d256-l8-k5-p8', out_indices=(1, 3, 5, 7)
    ),
    neck=[
        dict(
            type='sacm_mm.PixelShufflePyramid',
            in_channels=[256] * 4,
            in_stride=8,
            out_channels=[None, *channels[1:]],  # RetinaNet reads strides 8 to 128
            out_strides=[4, 8, 16, 32],
        ),
        dict(
            type='FPN',
            in_channels=channels,
            out_channels=256,
            start_level=1,
            add_extra_convs='on_input',
            num_outs=5,
        ),
    ],
)
