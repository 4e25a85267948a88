# ConvMLP-S with a slim Semantic FPN on CamVid, for laptops.
_base_ = './sacm_camvid_light.py'
channels = 64
model = dict(
    backbone=dict(
        _delete_=True,
        type='sacm_mm.ConvMLP',
        arch='s',
        out_indices=(0, 1, 2, 3),
        out_norm=False,
        drop_path_rate=0.1,
    ),
    neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=channels, num_outs=4),
    decode_head=dict(
        _delete_=True,
        type='FPNHead',
        in_channels=[channels] * 4,
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=channels,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}}),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
