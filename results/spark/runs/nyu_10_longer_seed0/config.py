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
        interval=200,
        max_keep_ckpts=2,
        type='sacm_mm.CheckpointHook'),
    finite=dict(type='sacm_mm.StopOnNonFiniteHook'),
    logger=dict(interval=50, log_metric_by_epoch=False, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seed_steps=dict(type='sacm_mm.SeedStepsHook'),
    signals=dict(type='sacm_mm.StopOnSignalHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(type='SegVisualizationHook'))
default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
launcher = 'none'
load_from = None
log_level = 'INFO'
log_processor = dict(by_epoch=False)
max_iters = 3000
model = dict(
    backbone=dict(
        arch='d128-l8-k5-p5-dil1248',
        norm_cfg=dict(eps=0.001, type='BN'),
        out_indices=(
            1,
            3,
            5,
            7,
        ),
        type='sacm_mm.SAConvMixer'),
    data_preprocessor=dict(
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
        type='SegDataPreProcessor'),
    decode_head=dict(
        in_channels=[
            128,
            128,
            128,
            128,
        ],
        in_index=[
            0,
            1,
            2,
            3,
        ],
        loss_decode=dict(lambd=0.5, type='sacm_mm.SiLogLoss'),
        max_depth=10.0,
        type='sacm_mm.PixelShuffleDepthHead',
        upscale_factor=5),
    test_cfg=dict(mode='whole'),
    train_cfg=dict(),
    type='sacm_mm.DepthEstimator')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(fused=True, lr=0.003, type='AdamW', weight_decay=0.05),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
    type='OptimWrapper')
param_scheduler = dict(
    by_epoch=False, pct_start=0.25, type='sacm_mm.OneCycleLR')
randomness = dict(seed=0)
resume = False
scale = (
    320,
    240,
)
silog = dict(lambd=0.5, type='sacm_mm.SiLogLoss')
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(
            depth_map_path='annotations/test', img_path='images/test'),
        data_root='{{$SACM_DATA:data}}/nyu',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(keep_ratio=True, scale=(
                320,
                240,
            ), type='Resize'),
            dict(type='LoadAnnotations'),
            dict(
                depth_rescale_factor=0.001,
                type='sacm_mm.LoadDepthAnnotation'),
            dict(type='PackSegInputs'),
        ],
        type='sacm_mm.NYUDataset'),
    num_workers=1,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(protocol='nyu_eigen', type='sacm_mm.DepthMetric')
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(keep_ratio=True, scale=(
        320,
        240,
    ), type='Resize'),
    dict(type='LoadAnnotations'),
    dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
    dict(type='PackSegInputs'),
]
train_cfg = dict(
    max_iters=1984,
    type='IterBasedTrainLoop',
    val_begin=1000000,
    val_interval=1984)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_prefix=dict(
            depth_map_path='annotations/train', img_path='images/train'),
        data_root='{{$SACM_DATA:data}}/nyu',
        indices=[
            0,
            10,
            20,
            30,
            40,
            50,
            60,
            70,
            80,
            90,
            100,
            110,
            120,
            130,
            140,
            150,
            160,
            170,
            180,
            190,
            200,
            210,
            220,
            230,
            240,
            250,
            260,
            270,
            280,
            290,
            300,
            310,
            320,
            330,
            340,
            350,
            360,
            370,
            380,
            390,
            400,
            410,
            420,
            430,
            440,
            450,
            460,
            470,
            480,
            490,
            500,
            510,
            520,
            530,
            540,
            550,
            560,
            570,
            580,
            590,
            600,
            610,
            620,
            630,
            640,
            650,
            660,
            670,
            680,
            690,
            700,
            710,
            720,
            730,
            740,
            750,
            760,
            770,
            780,
            790,
        ],
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(
                depth_rescale_factor=0.001,
                type='sacm_mm.LoadDepthAnnotation'),
            dict(keep_ratio=True, scale=(
                320,
                240,
            ), type='Resize'),
            dict(prob=0.5, type='RandomFlip'),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
        type='sacm_mm.NYUDataset'),
    num_workers=1,
    persistent_workers=True,
    sampler=dict(shuffle=True, type='sacm_mm.InfiniteSampler'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(depth_rescale_factor=0.001, type='sacm_mm.LoadDepthAnnotation'),
    dict(keep_ratio=True, scale=(
        320,
        240,
    ), type='Resize'),
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
                dict(keep_ratio=True, scale=(
                    320,
                    240,
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
            depth_map_path='annotations/test', img_path='images/test'),
        data_root='{{$SACM_DATA:data}}/nyu',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(keep_ratio=True, scale=(
                320,
                240,
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
val_evaluator = dict(protocol='nyu_eigen', type='sacm_mm.DepthMetric')
visualizer = dict(
    name='visualizer',
    type='sacm_mm.DepthLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
zoom = (
    1,
    1.5,
)
