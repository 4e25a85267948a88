# A pyramid head on the isotropic backbone: blocks 1, 3, 5, 7 become strides 4, 8, 16, 32.
_base_ = './sacm_camvid_light.py'
channels = [64, 128, 192, 256]
model = dict(
    backbone=dict(out_indices=(1, 3, 5, 7)),
    neck=dict(
        type='sacm_mm.PixelShufflePyramid',
        in_channels=[256] * 4,
        in_stride=5,
        out_channels=channels,
        out_strides=[4, 8, 16, 32],
    ),
    decode_head=dict(
        _delete_=True,
        type='FPNHead',
        in_channels=channels,
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}}),
    ),
)
