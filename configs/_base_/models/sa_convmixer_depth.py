# SA-ConvMixer with the pixel-shuffle depth head, bounded.
model = dict(
    type='sacm_mm.DepthEstimator',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,
    ),
    backbone=dict(type='sacm_mm.SAConvMixer', arch='d256-l12-k5-p5'),
    decode_head=dict(
        type='sacm_mm.PixelShuffleDepthHead', in_channels=256, upscale_factor=5, max_depth=10.0
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
