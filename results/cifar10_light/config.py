custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'sacm_mm',
    ])
data_root = '{{$SACM_DATA:data}}/cifar10'
default_hooks = dict(
    checkpoint=dict(
        interval=1, max_keep_ckpts=2, type='sacm_mm.CheckpointHook'),
    logger=dict(interval=50, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(enable=False, type='VisualizationHook'))
default_scope = 'mmpretrain'
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
launcher = 'none'
load_from = None
log_level = 'INFO'
max_epochs = 5
model = dict(
    backbone=dict(arch='d256-l8-k5-p2', type='sacm_mm.SAConvMixer'),
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
        to_rgb=True),
    head=dict(
        in_channels=256,
        loss=dict(type='CrossEntropyLoss'),
        num_classes=10,
        topk=(1, ),
        type='LinearClsHead'),
    neck=dict(type='GlobalAveragePooling'),
    type='ImageClassifier')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(eps=0.001, lr=0.01, type='AdamW', weight_decay=0.005),
    type='sacm_mm.BFloat16OptimWrapper')
param_scheduler = dict(
    by_epoch=True,
    convert_to_iter_based=True,
    eta_max=0.01,
    total_steps=5,
    type='OneCycleLR')
randomness = dict(seed=0)
resume = False
test_cfg = dict()
test_dataloader = dict(
    batch_size=250,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='{{$SACM_DATA:data}}/cifar10',
        pipeline=[
            dict(scale=(
                32,
                32,
            ), type='Resize'),
            dict(type='PackInputs'),
        ],
        split='test',
        type='sacm_mm.CIFAR10Dataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(topk=(1, ), type='Accuracy')
test_pipeline = [
    dict(scale=(
        32,
        32,
    ), type='Resize'),
    dict(type='PackInputs'),
]
train_cfg = dict(by_epoch=True, max_epochs=5, val_interval=1)
train_dataloader = dict(
    batch_size=128,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='{{$SACM_DATA:data}}/cifar10',
        pipeline=[
            dict(crop_size=32, padding=4, type='RandomCrop'),
            dict(direction='horizontal', prob=0.5, type='RandomFlip'),
            dict(type='PackInputs'),
        ],
        split='train',
        type='sacm_mm.CIFAR10Dataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=True, type='DefaultSampler'))
train_pipeline = [
    dict(crop_size=32, padding=4, type='RandomCrop'),
    dict(direction='horizontal', prob=0.5, type='RandomFlip'),
    dict(type='PackInputs'),
]
tta_model = dict(type='AverageClsScoreTTA')
tta_pipeline = [
    dict(scale=(
        32,
        32,
    ), type='Resize'),
    dict(
        transforms=[
            [
                dict(direction='horizontal', prob=0.0, type='RandomFlip'),
                dict(direction='horizontal', prob=1.0, type='RandomFlip'),
            ],
            [
                dict(type='PackInputs'),
            ],
        ],
        type='TestTimeAug'),
]
val_cfg = dict()
val_dataloader = dict(
    batch_size=250,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='{{$SACM_DATA:data}}/cifar10',
        pipeline=[
            dict(scale=(
                32,
                32,
            ), type='Resize'),
            dict(type='PackInputs'),
        ],
        split='test',
        type='sacm_mm.CIFAR10Dataset'),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = dict(topk=(1, ), type='Accuracy')
visualizer = dict(
    type='UniversalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
