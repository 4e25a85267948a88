crop_size = 32
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(
        schedule=[
            dict(
                action_epoch=29,
                train_pipeline=[
                    dict(
                        crop_size=32,
                        padding=4,
                        padding_mode='reflect',
                        type='RandomCrop'),
                    dict(type='sacm_mm.AlternatingFlip'),
                    dict(type='PackInputs'),
                ]),
        ],
        type='SwitchRecipeHook'),
    dict(type='sacm_mm.FastTrainingHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'sacm_mm',
    ])
data_root = '{{$SACM_DATA:data}}/cifar10'
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
flip = dict(type='sacm_mm.AlternatingFlip')
flip_and_pack = [
    dict(type='sacm_mm.AlternatingFlip'),
    dict(type='PackInputs'),
]
launcher = 'none'
levels = dict(magnitude_level=12, num_policies=2, total_level=30)
light = dict(
    action_epoch=29,
    train_pipeline=[
        dict(
            crop_size=32, padding=4, padding_mode='reflect',
            type='RandomCrop'),
        dict(type='sacm_mm.AlternatingFlip'),
        dict(type='PackInputs'),
    ])
load_from = None
loader = dict(num_workers=0, persistent_workers=False)
log_level = 'INFO'
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
        loss=dict(
            label_smooth_val=0.1, mode='original', type='LabelSmoothLoss'),
        num_classes=10,
        topk=(1, ),
        type='LinearClsHead'),
    neck=dict(type='GlobalAveragePooling'),
    type='ImageClassifier')
optim_wrapper = dict(
    clip_grad=None,
    optimizer=dict(lr=0.01, type='sacm_mm.Muon', weight_decay=0.01),
    type='sacm_mm.BFloat16OptimWrapper')
pack = dict(type='PackInputs')
param_scheduler = dict(
    anneal_strategy='linear',
    by_epoch=True,
    convert_to_iter_based=True,
    pct_start=0.1,
    type='sacm_mm.OneCycleLR')
randaug = dict(
    magnitude_level=10,
    num_policies=2,
    policies='timm_increasing',
    total_level=30,
    type='RandAugment')
randomness = dict(seed=0)
resume = False
shift = dict(
    direction='horizontal',
    prob=1.0,
    random_negative_prob=0.0,
    type='Translate')
strong = [
    dict(
        magnitude_level=12,
        num_policies=2,
        policies='timm_increasing',
        total_level=30,
        type='RandAugment'),
    dict(
        erase_prob=0.25,
        max_area_ratio=0.25,
        mode='rand',
        type='RandomErasing'),
]
switches = [
    dict(
        action_epoch=19,
        train_pipeline=[
            dict(
                crop_size=32,
                padding=4,
                padding_mode='reflect',
                type='RandomCrop'),
            dict(type='sacm_mm.AlternatingFlip'),
            dict(
                magnitude_level=10,
                num_policies=2,
                policies='timm_increasing',
                total_level=30,
                type='RandAugment'),
            dict(type='PackInputs'),
        ]),
    dict(
        action_epoch=31,
        train_pipeline=[
            dict(
                crop_size=32,
                padding=4,
                padding_mode='reflect',
                type='RandomCrop'),
            dict(type='sacm_mm.AlternatingFlip'),
            dict(type='PackInputs'),
        ]),
]
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
train_cfg = dict(by_epoch=True, max_epochs=30, val_interval=30)
train_dataloader = dict(
    batch_size=256,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        data_root='{{$SACM_DATA:data}}/cifar10',
        pipeline=[
            dict(
                crop_size=32,
                padding=4,
                padding_mode='reflect',
                type='RandomCrop'),
            dict(type='sacm_mm.AlternatingFlip'),
            dict(
                magnitude_level=12,
                num_policies=2,
                policies='timm_increasing',
                total_level=30,
                type='RandAugment'),
            dict(
                erase_prob=0.25,
                max_area_ratio=0.25,
                mode='rand',
                type='RandomErasing'),
            dict(type='PackInputs'),
        ],
        split='train',
        type='sacm_mm.CIFAR10Dataset'),
    num_workers=0,
    sampler=dict(shuffle=True, type='sacm_mm.DefaultSampler'))
train_pipeline = [
    dict(interpolation='area', scale=(
        24,
        24,
    ), type='Resize'),
    dict(crop_size=24, padding=3, padding_mode='reflect', type='RandomCrop'),
    dict(type='sacm_mm.AlternatingFlip'),
    dict(
        magnitude_level=10,
        num_policies=2,
        policies='timm_increasing',
        total_level=30,
        type='RandAugment'),
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
                dict(
                    direction='horizontal',
                    magnitude=-0.03125,
                    prob=1.0,
                    random_negative_prob=0.0,
                    type='Translate'),
                dict(
                    direction='horizontal',
                    magnitude=0.0,
                    prob=1.0,
                    random_negative_prob=0.0,
                    type='Translate'),
                dict(
                    direction='horizontal',
                    magnitude=0.03125,
                    prob=1.0,
                    random_negative_prob=0.0,
                    type='Translate'),
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
whole = [
    dict(crop_size=32, padding=4, padding_mode='reflect', type='RandomCrop'),
    dict(type='sacm_mm.AlternatingFlip'),
]
