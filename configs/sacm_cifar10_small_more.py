# sacm_cifar10_small.py goes on from its weights (--weights cifar10_small): 30 epochs of whole
# pictures with stronger augmentation; two and a half hours of a CPU core (--fast).
_base_ = './sacm_cifar10_small.py'
whole = [
    dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect'),
    dict(type='sacm_mm.AlternatingFlip'),
]
levels = dict(num_policies=2, total_level=30, magnitude_level=12)
strong = [
    dict(type='RandAugment', policies='timm_increasing', **levels),
    dict(type='RandomErasing', erase_prob=0.25, max_area_ratio=0.25, mode='rand'),
]
pack = dict(type='PackInputs')
train_dataloader = dict(dataset=dict(pipeline=[*whole, *strong, pack]))
param_scheduler = dict(pct_start=0.1)
train_cfg = dict(max_epochs=30, val_interval=30)
light = dict(action_epoch=29, train_pipeline=[*whole, pack])
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='SwitchRecipeHook', schedule=[light]),
]
