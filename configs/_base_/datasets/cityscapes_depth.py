# Cityscapes with depth from disparity under $SACM_DATA/cityscapes: at 512x1024, up to 80 m.
data_root = '{{$SACM_DATA:data}}/cityscapes'
crop_size = (512, 1024)  # height, width
scale = (1024, 512)
zoom = (1, 1.5)  # of the training images
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='sacm_mm.LoadCityscapesDepth'),
    dict(type='sacm_mm.RandomDepthResize', scale=scale, ratio_range=zoom, keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='sacm_mm.LoadCityscapesDepth'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=scale, keep_ratio=True)],
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(type='sacm_mm.LoadCityscapesDepth')],
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
        type='sacm_mm.CityscapesDepthDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/train',
            depth_map_path='disparity/train',
            camera_path='camera/train',
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sacm_mm.CityscapesDepthDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='leftImg8bit/val', depth_map_path='disparity/val', camera_path='camera/val'
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
