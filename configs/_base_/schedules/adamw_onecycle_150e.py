# The paper's recipe for ImageNet-1k, for batches of 4 x 32.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.01, eps=1e-3),
    clip_grad=dict(max_norm=1.0),
)
# as long as the loop, up to the optimizer's lr
param_scheduler = dict(type='sacm_mm.OneCycleLR', convert_to_iter_based=True, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=150, val_interval=1)
