# SA-ConvMixer 256/8/5/2 on CIFAR-10 by the recipe with which the authors of ConvMixer have 92.6 %
# after 25 epochs: a large learning rate and RandAugment, without crops.
_base_ = './sacm_cifar10_k5.py'
train_pipeline = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=30,
        magnitude_level=12,
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=512, num_workers=8, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=5e-2, eps=1e-8), clip_grad=None)
param_scheduler = dict(pct_start=0.4, anneal_strategy='linear')
train_cfg = dict(max_epochs=25)
