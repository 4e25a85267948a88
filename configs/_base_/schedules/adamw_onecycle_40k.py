# The authors published no recipe for dense tasks; this one is ours.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
# as long as the loop, up to the optimizer's lr
param_scheduler = dict(type='sacm_mm.OneCycleLR', pct_start=0.25, by_epoch=False)
max_iters = 40000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
