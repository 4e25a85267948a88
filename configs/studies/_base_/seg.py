# What every study shares: iterations, an exact resume, bfloat16, no look at validation data.
_base_ = ['../../_base_/default_runtime.py', '../../_base_/seg_runtime.py']
visualizer = dict(vis_backends=[dict(type='LocalVisBackend')])
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=100, max_keep_ckpts=1),
)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.SeedStepsHook'),
    dict(type='sacm_mm.KeepSamplesHook', num_images=5),
    dict(type='sacm_mm.FastTrainingHook'),  # same results to rounding
]
optim_wrapper = dict(
    type='sacm_mm.BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
# a budget's `steps` sets all three
max_iters = 40000
param_scheduler = dict(
    type='OneCycleLR', eta_max=2e-3, total_steps=max_iters, pct_start=0.25, by_epoch=False
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = None
val_evaluator = None
