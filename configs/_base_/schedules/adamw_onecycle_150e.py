# The paper's recipe for ImageNet-1k, for batches of 4 x 32.
max_epochs = 150
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.01, eps=1e-3),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=1e-2,
    total_steps=max_epochs,
    convert_to_iter_based=True,
    by_epoch=True,
)
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
