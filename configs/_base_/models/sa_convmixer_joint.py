# One SA-ConvMixer for segmentation and depth, in one forward pass.
model = dict(
    type='sacm_mm.SegDepthEstimator',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,
    ),
    # Many channels of the last blocks come to be 0 but for rare tokens. A norm with eps 1e-5 makes
    # those up to 316 times larger, block after block: patches of the largest depth. The authors'
    # networks have 1e-3 too.
    backbone=dict(
        type='sacm_mm.SAConvMixer', arch='d256-l12-k5-p5', norm_cfg=dict(type='BN', eps=1e-3)
    ),
    decode_head=dict(
        type='sacm_mm.PixelShuffleHead', in_channels=256, upscale_factor=5, num_classes=39
    ),
    depth_head=dict(
        type='sacm_mm.PixelShuffleDepthHead', in_channels=256, upscale_factor=5, max_depth=10.0
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
