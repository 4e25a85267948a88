# CS-Mixer-T with a slim UPerNet on CamVid, for laptops.
_base_ = './sacm_camvid_light.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='sacm_mm.CSMixer',
        arch='t',
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
    ),
    decode_head=dict(
        _delete_=True,
        type='UPerHead',
        in_channels=[64, 128, 256, 512],
        in_index=[0, 1, 2, 3],
        channels=64,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}}),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
