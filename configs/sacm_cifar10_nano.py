# SA-ConvMixer 128/8/5/2 on CIFAR-10, 0.17 M parameters, in two hours of a CPU core
# (--fast): Muon, 16 epochs on pictures scaled down to 24 pixels, and four on whole ones.
_base_ = './sacm_cifar10_progressive.py'
whole = dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect')
last = [
    dict(type='sacm_mm.AlternatingFlip'),
    dict(type='RandomErasing', erase_prob=0.25, mode='rand'),
    dict(type='PackInputs'),
]
train_pipeline = [
    dict(type='Resize', scale=(24, 24), interpolation='area'),
    dict(whole, crop_size=24, padding=3),
    *last,
]
model = dict(backbone=dict(arch='d128-l8-k5-p2'), head=dict(in_channels=128))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=20, val_interval=20)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.WhitenStemHook'),
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=17, train_pipeline=[whole, *last])],
    ),
]
