# ConvMLP with the stock Semantic FPN.
channels = 256
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,
    ),
    backbone=dict(
        type='sacm_mm.ConvMLP',
        arch='s',
        out_indices=(0, 1, 2, 3),
        out_norm=False,
        drop_path_rate=0.1,
    ),
    neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=channels, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[channels] * 4,
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=dict(type='BN'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
