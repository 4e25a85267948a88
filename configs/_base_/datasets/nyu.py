# NYU Depth v2, labelled, under $SACM_DATA/nyu: 480x640 pixels, up to 10 m.
data_root = '{{$SACM_DATA:data}}/nyu'
crop_size = (480, 640)  # height, width
scale = (640, 480)
zoom = (1, 1.5)  # of the training images
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),  # passes where the data set names no masks
    dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3),
    dict(type='sacm_mm.RandomDepthResize', scale=scale, ratio_range=zoom, keep_ratio=True),
    dict(type='sacm_mm.RandomDepthRotate', prob=0.5, degree=2.5, pad_val=(104, 116, 124)),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# The truth is loaded after the resize: predictions are scored at the original size.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=scale, keep_ratio=True)],
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='sacm_mm.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='sacm_mm.NYUDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sacm_mm.NYUDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
