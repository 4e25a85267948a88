# SA-ConvMixer with the pixel-shuffle head: whole-image inference at any size.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,  # the data sets pad their crops; the backbone pads to the patch
    ),
    backbone=dict(type='sacm_mm.SAConvMixer', arch='d512-l12-k5-p5'),
    decode_head=dict(
        type='sacm_mm.PixelShuffleHead', in_channels=512, upscale_factor=5, num_classes=21
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
