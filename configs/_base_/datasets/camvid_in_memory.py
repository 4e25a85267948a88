# CamVid in the memory of the GPU, where whole batches are augmented. Training only; the rest
# is camvid.py's.
_base_ = ['./camvid.py']
augment = dict(
    type='sacm_mm.BatchAugment',
    crop_size={{_base_.crop_size}},
    zoom=(0.6, 2.0),
    stretch=1.2,
    degree=5.0,
    grey=0.1,
    noise=0.03,
    mix=0.5,
)
train_dataloader = dict(
    _delete_=True,
    batch_size=32,
    num_workers=0,
    sampler=dict(type='sacm_mm.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='sacm_mm.InMemoryDataset',
        dataset=dict(
            type='sacm_mm.CamVidDataset',
            data_root={{_base_.data_root}},
            data_prefix=dict(img_path='train', seg_map_path='trainannot'),
            pipeline={{_base_.test_pipeline}},
        ),
    ),
)
