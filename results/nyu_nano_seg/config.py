augment = dict(
    crop_size=(
        120,
        160,
    ),
    degree=3.0,
    grey=0.1,
    noise=0.03,
    type='sacm_mm.BatchAugment',
    zoom=(
        1.0,
        1.2,
    ))
crop_size = (
    480,
    640,
)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.FastTrainingHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'sacm_mm',
    ])
data_root = '{{$SACM_DATA:data}}/nyu'
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=500,
        max_keep_ckpts=2,
        type='sacm_mm.CheckpointHook'),
    finite=dict(type='sacm_mm.StopOnNonFiniteHook'),
    logger=dict(interval=50, log_metric_by_epoch=False, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seed_steps=dict(type='sacm_mm.SeedStepsHook'),
    signals=dict(type='sacm_mm.StopOnSignalHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(type='sacm_mm.SegVisualizationHook'))
default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
flips = [
    dict(direction='horizontal', prob=0.0, type='RandomFlip'),
    dict(direction='horizontal', prob=1.0, type='RandomFlip'),
]
image = dict(type='LoadImageFromFile')
labels = dict(seg_map_path='labels40/train')
launcher = 'none'
load_from = None
log_level = 'INFO'
log_processor = dict(by_epoch=False)
max_iters = 5000
model = dict(
    backbone=dict(
        arch='d192-l12-k5-p8',
        norm_cfg=dict(eps=0.001, type='BN'),
        type='sacm_mm.SAConvMixer'),
    data_preprocessor=dict(
        augment=dict(
            crop_size=(
                120,
                160,
            ),
            degree=3.0,
            grey=0.1,
            noise=0.03,
            type='sacm_mm.BatchAugment',
            zoom=(
                1.0,
                1.2,
            )),
        bgr_to_rgb=True,
        mean=[
            123.675,
            116.28,
            103.53,
        ],
        size_divisor=1,
        std=[
            58.395,
            57.12,
            57.375,
        ],
        type='sacm_mm.SegDataPreProcessor'),
    decode_head=dict(
        in_channels=192,
        num_classes=39,
        type='sacm_mm.PixelShuffleHead',
        upscale_factor=8),
    test_cfg=dict(mode='whole'),
    train_cfg=dict(),
    type='EncoderDecoder')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(fused=True, lr=0.003, type='AdamW', weight_decay=0.05),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
    type='OptimWrapper')
pack = dict(type='PackSegInputs')
param_scheduler = dict(
    by_epoch=False, pct_start=0.25, type='sacm_mm.OneCycleLR')
randomness = dict(seed=0)
resize = dict(
    keep_ratio=True, scale=(
        160,
        120,
    ), type='Resize')
resume = False
scale = (
    160,
    120,
)
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(
            depth_map_path='annotations/test',
            img_path='images/test',
            seg_map_path='labels40/test'),
        data_root='{{$SACM_DATA:data}}/nyu',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(keep_ratio=True, scale=(
                160,
                120,
            ), type='Resize'),
            dict(type='LoadAnnotations'),
            dict(
                depth_rescale_factor=0.001,
                type='sacm_mm.LoadDepthAnnotation'),
            dict(type='PackSegInputs'),
        ],
        type='sacm_mm.NYUDataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(
    iou_metrics=[
        'mIoU',
    ], type='IoUMetric')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(keep_ratio=True, scale=(
        160,
        120,
    ), type='Resize'),
    dict(type='LoadAnnotations'),
    dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
    dict(type='PackSegInputs'),
]
train_cfg = dict(
    max_iters=5000, type='IterBasedTrainLoop', val_interval=100000)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        dataset=dict(
            data_prefix=dict(
                depth_map_path='annotations/train',
                img_path='images/train',
                seg_map_path='labels40/train'),
            data_root='{{$SACM_DATA:data}}/nyu',
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(
                    depth_rescale_factor=0.001,
                    type='sacm_mm.LoadDepthAnnotation'),
                dict(keep_ratio=True, scale=(
                    160,
                    120,
                ), type='Resize'),
                dict(type='PackSegInputs'),
            ],
            type='sacm_mm.NYUDataset'),
        type='sacm_mm.InMemoryDataset'),
    num_workers=0,
    sampler=dict(shuffle=True, type='sacm_mm.InfiniteSampler'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
    dict(keep_ratio=True, scale=(
        160,
        120,
    ), type='Resize'),
    dict(type='PackSegInputs'),
]
truth = [
    dict(type='LoadAnnotations'),
    dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
]
tta_model = dict(type='sacm_mm.DenseTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        transforms=[
            [
                dict(keep_ratio=True, scale=(
                    160,
                    120,
                ), type='Resize'),
            ],
            [
                dict(direction='horizontal', prob=0.0, type='RandomFlip'),
                dict(direction='horizontal', prob=1.0, type='RandomFlip'),
            ],
            [
                dict(type='LoadAnnotations'),
            ],
            [
                dict(
                    depth_rescale_factor=0.001,
                    type='sacm_mm.LoadDepthAnnotation'),
            ],
            [
                dict(type='PackSegInputs'),
            ],
        ],
        type='TestTimeAug'),
]
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(
            depth_map_path='annotations/test',
            img_path='images/test',
            seg_map_path='labels40/test'),
        data_root='{{$SACM_DATA:data}}/nyu',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(keep_ratio=True, scale=(
                160,
                120,
            ), type='Resize'),
            dict(type='LoadAnnotations'),
            dict(
                depth_rescale_factor=0.001,
                type='sacm_mm.LoadDepthAnnotation'),
            dict(type='PackSegInputs'),
        ],
        type='sacm_mm.NYUDataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = dict(
    iou_metrics=[
        'mIoU',
    ], type='IoUMetric')
views = [
    [
        dict(keep_ratio=True, scale=(
            160,
            120,
        ), type='Resize'),
    ],
    [
        dict(direction='horizontal', prob=0.0, type='RandomFlip'),
        dict(direction='horizontal', prob=1.0, type='RandomFlip'),
    ],
    [
        dict(type='LoadAnnotations'),
    ],
    [
        dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
    ],
    [
        dict(type='PackSegInputs'),
    ],
]
visualizer = dict(
    name='visualizer',
    type='SegLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
zoom = (
    1,
    1.5,
)
