# sacm_nyu_gpu_more.py goes on with the absolute error alone, by --weights nyu_gpu_more.
_base_ = '../../configs/sacm_nyu_gpu_more.py'
train_dataloader = dict(batch_size=8)
model = dict(
    data_preprocessor=dict(augment=dict(zoom=(1.0, 1.2), degree=3.0, erase=0.0)),
    decode_head=dict(loss_decode=dict(_delete_=True, type='sacm_mm.DepthL1Loss')),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
max_iters = 240
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_dataloader = None
val_cfg = None
val_evaluator = None
default_hooks = dict(logger=dict(interval=20))
