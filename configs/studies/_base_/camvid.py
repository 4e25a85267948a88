# SA-ConvMixer with its own head on CamVid, and what the budgets of its studies mean.
_base_ = [
    './seg.py',
    '../../_base_/models/sa_convmixer_seg.py',
    '../../_base_/datasets/camvid.py',
]
loss = dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}})
model = dict(
    backbone=dict(arch='d256-l8-k5-p5'),
    decode_head=dict(in_channels=256, num_classes=11, loss_decode=loss),
)
train_dataloader = dict(batch_size=8, sampler=dict(type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
# decoding and augmenting by the picture takes longer than these networks take on a GPU
augment = dict(type='sacm_mm.BatchAugment', crop_size=(320, 320), zoom=(0.75, 1.5))
in_memory = {
    'train_dataloader': dict(
        _delete_=True,
        batch_size=8,
        num_workers=0,
        sampler=dict(type='sacm_mm.ReplayedInfiniteSampler', shuffle=True),
        dataset=dict(
            type='sacm_mm.InMemoryDataset',
            dataset=dict(
                type='sacm_mm.CamVidDataset',
                data_root={{_base_.data_root}},
                data_prefix=dict(img_path='train', seg_map_path='trainannot'),
                pipeline={{_base_.test_pipeline}},
            ),
        ),
    ),
    'model.data_preprocessor.type': 'sacm_mm.SegDataPreProcessor',
}
budgets = dict(
    full=dict(steps=20000),  # 435 epochs of crops of 320x320
    # 60 epochs of the same crops: 20 minutes to three hours of a CPU core, two minutes of a GPU
    medium={'steps': 2760, 'model.data_preprocessor.augment': augment, **in_memory},
    # the laptop's steps and crops, tested on val: which learning rate is a network's best
    **{
        f'lr-{lr}': {
            'steps': 300,
            **in_memory,
            'model.data_preprocessor.augment': dict(augment, crop_size=(192, 192)),
            'lr': lr,
            'test_dataloader.dataset.data_prefix': dict(img_path='val', seg_map_path='valannot'),
        }
        for lr in (1e-3, 2e-3, 4e-3)
    },
    # 6.5 epochs of crops of 192x192: two to six minutes on two cores
    laptop={
        'steps': 300,
        'crop_size': (192, 192),
    },
    # for a look at the machinery, on generated data
    tiny={
        'steps': 40,
        'crop_size': (64, 64),
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 1,
        'test_dataloader.num_workers': 1,
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.logger.interval': 5,
    },
)
