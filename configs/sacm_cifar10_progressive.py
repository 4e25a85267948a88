# SA-ConvMixer 256/8/5/2 on CIFAR-10 for two hours of a CPU core (--fast): Muon, six epochs on
# pictures scaled down to 24 pixels, and two on whole ones.
_base_ = './sacm_cifar10_airbench.py'
whole = dict(type='RandomCrop', crop_size=32, padding=2, padding_mode='reflect')
flip_and_pack = [dict(type='sacm_mm.AlternatingFlip'), dict(type='PackInputs')]
train_pipeline = [
    dict(type='Resize', scale=(24, 24), interpolation='area'),
    dict(whole, crop_size=24),
    *flip_and_pack,
]
model = dict(head=dict(loss=dict(label_smooth_val=0.1)))
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='sacm_mm.Muon', lr=1e-2, weight_decay=1e-2),
    clip_grad=None,
)
param_scheduler = dict(anneal_strategy='linear')
train_cfg = dict(max_epochs=8, val_interval=8)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.WhitenStemHook'),
    dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=7, train_pipeline=[whole, *flip_and_pack])],
    ),
]
