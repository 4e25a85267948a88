# KITTI depth, Eigen split, under $SACM_DATA/kitti: about 375x1242 pixels, up to 80 m, sparse.
data_root = '{{$SACM_DATA:data}}/kitti'
crop_size = (350, 700)  # height, width
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1 / 256),
    dict(type='sacm_mm.RandomDepthRotate', prob=0.5, degree=1.0, pad_val=(104, 116, 124)),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1 / 256),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1 / 256)],
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
        type='sacm_mm.KITTIDepthDataset',
        data_root=data_root,
        data_prefix=dict(img_path='raw', depth_map_path='gt_depth'),
        ann_file='kitti_eigen_train_files_with_gt.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sacm_mm.KITTIDepthDataset',
        data_root=data_root,
        data_prefix=dict(img_path='raw', depth_map_path='gt_depth'),
        ann_file='kitti_eigen_test_files_with_gt.txt',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
