# SA-ConvMixer 192/8/5/5 with dilations learns to guess masked cells of the pictures of CamVid
# and NYUv2, but for those of their test sets. `sacm train CONFIG --weights WORK_DIR` goes on.
_base_ = ['../_base_/default_runtime.py', '../_base_/cls_runtime.py']
custom_imports = dict(imports=['sacm_mm', 'sacm_mm.pretraining'], allow_failed_imports=False)
data_root = '{{$SACM_DATA:data}}/'
input_size = 320
model = dict(
    type='sacm_mm.SparK',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    input_size=input_size,
    cell_size=40,
    mask_ratio=0.6,
    backbone=dict(type='sacm_mm.SparseSAConvMixer', arch='d192-l8-k5-p5-dil1248'),
    neck=dict(type='sacm_mm.PixelShuffleDecoder', feature_dim=192, upscale_factor=5),
    head=dict(type='SparKPretrainHead', loss=dict(type='PixelReconstructionLoss', criterion='L2')),
)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=input_size, crop_ratio_range=(0.4, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
folder = dict(type='CustomDataset', data_root=data_root, with_label=False, pipeline=pipeline)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='sacm_mm.DefaultSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(data_prefix=part, **folder)
            for part in ('camvid/train', 'camvid/val', 'nyu/images/train')
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.04),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(type='sacm_mm.OneCycleLR', convert_to_iter_based=True, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=200)
val_cfg = None
val_dataloader = None
val_evaluator = None
test_cfg = None
test_dataloader = None
test_evaluator = None
