custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.FastTrainingHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'sacm_mm',
        'sacm_mm.pretraining',
    ])
data_root = '{{$SACM_DATA:data}}/'
default_hooks = dict(
    checkpoint=dict(
        interval=1, max_keep_ckpts=2, type='sacm_mm.CheckpointHook'),
    finite=dict(type='sacm_mm.StopOnNonFiniteHook'),
    logger=dict(interval=50, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seed_steps=dict(type='sacm_mm.SeedStepsHook'),
    signals=dict(type='sacm_mm.StopOnSignalHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(enable=False, type='sacm_mm.ClsVisualizationHook'))
default_scope = 'mmpretrain'
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
folder = dict(
    data_root='{{$SACM_DATA:data}}/',
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(
            crop_ratio_range=(
                0.4,
                1.0,
            ), scale=240, type='RandomResizedCrop'),
        dict(prob=0.5, type='RandomFlip'),
        dict(type='PackInputs'),
    ],
    type='CustomDataset',
    with_label=False)
input_size = 240
launcher = 'none'
load_from = None
log_level = 'INFO'
model = dict(
    backbone=dict(
        arch='d128-l8-k5-p5-dil1248', type='sacm_mm.SparseSAConvMixer'),
    cell_size=40,
    data_preprocessor=dict(
        mean=[
            123.675,
            116.28,
            103.53,
        ],
        std=[
            58.395,
            57.12,
            57.375,
        ],
        to_rgb=True,
        type='SelfSupDataPreprocessor'),
    head=dict(
        loss=dict(criterion='L2', type='PixelReconstructionLoss'),
        type='SparKPretrainHead'),
    input_size=240,
    mask_ratio=0.6,
    neck=dict(
        feature_dim=128, type='sacm_mm.PixelShuffleDecoder', upscale_factor=5),
    type='sacm_mm.SparK')
optim_wrapper = dict(
    clip_grad=dict(max_norm=5.0),
    optimizer=dict(
        betas=(
            0.9,
            0.95,
        ),
        fused=True,
        lr=0.002,
        type='AdamW',
        weight_decay=0.04),
    type='OptimWrapper')
param_scheduler = dict(
    by_epoch=True, convert_to_iter_based=True, type='sacm_mm.OneCycleLR')
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(crop_ratio_range=(
        0.4,
        1.0,
    ), scale=240, type='RandomResizedCrop'),
    dict(prob=0.5, type='RandomFlip'),
    dict(type='PackInputs'),
]
randomness = dict(seed=0)
resume = False
test_cfg = None
test_dataloader = None
test_evaluator = None
train_cfg = dict(by_epoch=True, max_epochs=4)
train_dataloader = dict(
    batch_size=8,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        datasets=[
            dict(
                data_prefix='camvid/train',
                data_root='{{$SACM_DATA:data}}/',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        crop_ratio_range=(
                            0.4,
                            1.0,
                        ),
                        scale=240,
                        type='RandomResizedCrop'),
                    dict(prob=0.5, type='RandomFlip'),
                    dict(type='PackInputs'),
                ],
                type='CustomDataset',
                with_label=False),
            dict(
                data_prefix='camvid/val',
                data_root='{{$SACM_DATA:data}}/',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        crop_ratio_range=(
                            0.4,
                            1.0,
                        ),
                        scale=240,
                        type='RandomResizedCrop'),
                    dict(prob=0.5, type='RandomFlip'),
                    dict(type='PackInputs'),
                ],
                type='CustomDataset',
                with_label=False),
            dict(
                data_prefix='nyu/images/train',
                data_root='{{$SACM_DATA:data}}/',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        crop_ratio_range=(
                            0.4,
                            1.0,
                        ),
                        scale=240,
                        type='RandomResizedCrop'),
                    dict(prob=0.5, type='RandomFlip'),
                    dict(type='PackInputs'),
                ],
                type='CustomDataset',
                with_label=False),
        ],
        type='ConcatDataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=True, type='sacm_mm.DefaultSampler'))
tta_model = dict(type='AverageClsScoreTTA')
val_cfg = None
val_dataloader = None
val_evaluator = None
visualizer = dict(
    type='UniversalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
