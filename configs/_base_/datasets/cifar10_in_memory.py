# CIFAR-10 in the memory of the GPU, where whole batches are augmented. Training only; the rest is
# cifar10.py's.
_base_ = ['./cifar10.py']
augment = dict(
    type='sacm_mm.BatchAugment',
    crop_size=(32, 32),
    zoom=(0.8, 1.25),
    stretch=1.25,
    degree=15.0,
    hue=15.0,
    grey=0.05,
    erase=0.5,
)
train_dataloader = dict(
    _delete_=True,
    batch_size=512,
    num_workers=0,
    sampler=dict(type='sacm_mm.DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='sacm_mm.InMemoryDataset',
        dataset=dict(
            type='sacm_mm.CIFAR10Dataset',
            data_root={{_base_.data_root}},
            split='train',
            pipeline=[dict(type='PackInputs')],
        ),
    ),
)
