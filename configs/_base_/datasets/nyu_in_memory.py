# NYU Depth v2 at half its size in the memory of the GPU, where whole batches are augmented.
# Training only; the rest is nyu_half.py's.
_base_ = ['./nyu_half.py']
augment = dict(
    type='sacm_mm.BatchAugment',
    crop_size=(240, 320),
    zoom=(1.0, 1.2),
    degree=3.0,
    grey=0.1,
    noise=0.03,
)
train_dataloader = dict(
    _delete_=True,
    batch_size=32,
    num_workers=0,
    sampler=dict(type='sacm_mm.InfiniteSampler', shuffle=True),
    dataset=dict(
        type='sacm_mm.InMemoryDataset',
        dataset=dict(
            type='sacm_mm.NYUDataset',
            data_root={{_base_.data_root}},
            data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3),
                dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
                dict(type='PackSegInputs'),
            ],
        ),
    ),
)
