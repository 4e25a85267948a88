# ImageNet-1k under $SACM_DATA/imagenet/{train,val}/<wnid>/*, at 224x224.
data_root = '{{$SACM_DATA:data}}/imagenet'
crop_size = 224
short_edge = 233  # of the test: the crop is 96 % of it
bgr_mean = [104, 116, 124]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=crop_size, backend='pillow', interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=bgr_mean, interpolation='bicubic'),
    ),
    dict(
        type='RandomErasing',
        erase_prob=0.25,
        mode='rand',
        fill_color=bgr_mean,
        fill_std=[57, 57, 58],
    ),
    dict(type='PackInputs'),
]
resize = dict(
    type='ResizeEdge', scale=short_edge, edge='short', backend='pillow', interpolation='bicubic'
)
crop = dict(type='CenterCrop', crop_size=crop_size)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    crop,
    dict(type='PackInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    crop,
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(type='PackInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='sacm_mm.DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageNet', data_root=data_root, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ImageNet', data_root=data_root, split='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
