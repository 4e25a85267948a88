# SA-ConvMixer 256/8/5/2 on CIFAR-10, for laptops: under an hour on two cores with --amp.
_base_ = './sacm_cifar10_k5.py'
# too few epochs for strong augmentation
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=5)
