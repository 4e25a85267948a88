augment = dict(
    crop_size=(
        320,
        320,
    ),
    degree=5.0,
    grey=0.1,
    mix=0.5,
    noise=0.03,
    stretch=1.2,
    type='sacm_mm.BatchAugment',
    zoom=(
        0.6,
        2.0,
    ))
class_weight = [
    0.34,
    0.29,
    1.42,
    0.25,
    0.66,
    0.45,
    1.3,
    1.33,
    0.58,
    1.76,
    2.61,
]
crop_size = (
    320,
    320,
)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(
        class_weight=[
            0.34,
            0.29,
            1.42,
            0.25,
            0.66,
            0.45,
            1.3,
            1.33,
            0.58,
            1.76,
            2.61,
        ],
        share=0.75,
        type='sacm_mm.ReweighClassesHook'),
    dict(type='sacm_mm.FastTrainingHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'sacm_mm',
    ])
data_root = '{{$SACM_DATA:data}}/camvid'
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=2000,
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
launcher = 'none'
load_from = None
log_level = 'INFO'
log_processor = dict(by_epoch=False)
max_iters = 4000
model = dict(
    backbone=dict(
        arch='d192-l12-k5-p5-dil1248',
        out_indices=(
            2,
            5,
            8,
            11,
        ),
        type='sacm_mm.SAConvMixer'),
    data_preprocessor=dict(
        augment=dict(
            crop_size=(
                320,
                320,
            ),
            degree=5.0,
            grey=0.1,
            mix=0.5,
            noise=0.03,
            stretch=1.2,
            type='sacm_mm.BatchAugment',
            zoom=(
                0.6,
                2.0,
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
        in_channels=[
            192,
            192,
            192,
            192,
        ],
        in_index=[
            0,
            1,
            2,
            3,
        ],
        loss_decode=dict(
            class_weight=[
                0.34,
                0.29,
                1.42,
                0.25,
                0.66,
                0.45,
                1.3,
                1.33,
                0.58,
                1.76,
                2.61,
            ],
            type='CrossEntropyLoss'),
        num_classes=11,
        type='sacm_mm.PixelShuffleHead',
        upscale_factor=5),
    test_cfg=dict(mode='whole'),
    train_cfg=dict(),
    type='EncoderDecoder')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(lr=0.003, type='sacm_mm.Muon', weight_decay=0.05),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
    type='sacm_mm.BFloat16OptimWrapper')
param_scheduler = dict(
    by_epoch=False, pct_start=0.25, type='sacm_mm.OneCycleLR')
randomness = dict(seed=0)
resume = False
scale = (
    480,
    360,
)
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(img_path='test', seg_map_path='testannot'),
        data_root='{{$SACM_DATA:data}}/camvid',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
        type='sacm_mm.CamVidDataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(
    iou_metrics=[
        'mIoU',
    ], type='IoUMetric')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_cfg = dict(max_iters=4000, type='IterBasedTrainLoop', val_interval=1000)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        dataset=dict(
            also=dict(img_path='val', seg_map_path='valannot'),
            data_prefix=dict(img_path='train', seg_map_path='trainannot'),
            data_root='{{$SACM_DATA:data}}/camvid',
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='PackSegInputs'),
            ],
            type='sacm_mm.CamVidDataset'),
        type='sacm_mm.InMemoryDataset'),
    num_workers=0,
    sampler=dict(shuffle=True, type='sacm_mm.InfiniteSampler'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        keep_ratio=True,
        ratio_range=(
            0.75,
            1.5,
        ),
        scale=(
            480,
            360,
        ),
        type='RandomResize'),
    dict(cat_max_ratio=0.75, crop_size=(
        320,
        320,
    ), type='RandomCrop'),
    dict(
        pad_val=dict(img=(
            104,
            116,
            124,
        ), seg=255),
        size=(
            320,
            320,
        ),
        type='Pad'),
    dict(prob=0.5, type='RandomFlip'),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
tta_model = dict(type='sacm_mm.DenseTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        transforms=[
            [
                dict(direction='horizontal', prob=0.0, type='RandomFlip'),
                dict(direction='horizontal', prob=1.0, type='RandomFlip'),
            ],
            [
                dict(type='LoadAnnotations'),
            ],
            [
                dict(type='PackSegInputs'),
            ],
        ],
        type='TestTimeAug'),
]
val_cfg = None
val_dataloader = None
val_evaluator = None
visualizer = dict(
    name='visualizer',
    type='SegLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
zoom = (
    0.75,
    1.5,
)
