# One epoch on CamVid at laptop size.
_base_ = ['./swapped.py']
data_root = '{{$SACM_DATA:data}}/camvid'
crop_size = (160, 160)
model = dict(
    data_preprocessor=dict(size=crop_size),
    decode_head=dict(num_classes=11),
)
train_dataloader = dict(
    _delete_=True,
    batch_size=4,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='sacm_mm.CamVidDataset',
        data_root=data_root,
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomResize', scale=(240, 180), ratio_range=(1.0, 1.5), keep_ratio=True),
            dict(type='RandomCrop', crop_size=crop_size),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
train_cfg = dict(max_iters=92, val_interval=1000)  # 367 images, 4 at a time
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=92, by_epoch=False)]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=-1))
randomness = dict(seed=0)
