# SA-ConvMixer 256/8/5/2 on CIFAR-10 in two hours of a CPU core with bfloat16 (--fast), by Muon: 18
# epochs on pictures scaled down to 24 pixels, 12 on whole ones, and two without RandAugment.
_base_ = './sacm_cifar10_progressive.py'
whole = dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect')
flip = dict(type='sacm_mm.AlternatingFlip')
levels = dict(num_policies=2, total_level=30, magnitude_level=10)
randaug = dict(type='RandAugment', policies='timm_increasing', **levels)
pack = dict(type='PackInputs')
train_pipeline = [
    dict(type='Resize', scale=(24, 24), interpolation='area'),
    dict(whole, crop_size=24, padding=3),
    flip,
    randaug,
    pack,
]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), **loader)
train_cfg = dict(max_epochs=32, val_interval=32)
switches = [
    dict(action_epoch=19, train_pipeline=[whole, flip, randaug, pack]),
    dict(action_epoch=31, train_pipeline=[whole, flip, pack]),
]
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.WhitenStemHook'),
    dict(type='SwitchRecipeHook', schedule=switches),
]
