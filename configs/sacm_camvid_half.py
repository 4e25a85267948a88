# SA-ConvMixer 192/8/5/5 with rising dilations on CamVid at half its size, a start for
# sacm_camvid_long.py: a picture costs a third. Validation is at the whole size.
_base_ = './sacm_camvid_small.py'
model = dict(backbone=dict(arch='d192-l8-k5-p5-dil1248'), decode_head=dict(in_channels=[192] * 4))
crop_size = (160, 200)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(240, 180), ratio_range=(0.75, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='Pad', size=crop_size[::-1], pad_val=dict(img=(104, 116, 124), seg=255)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
max_iters = 5000  # 109 epochs
train_cfg = dict(max_iters=max_iters, val_interval=1250)
