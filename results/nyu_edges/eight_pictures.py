# sacm_nyu_gpu.py on eight training pictures as they are, learned by heart.
_base_ = '../../configs/sacm_nyu_gpu.py'
train_dataloader = dict(batch_size=8, dataset=dict(dataset=dict(indices=8)))
still = dict(zoom=(1.0, 1.0), degree=0.0, grey=0.0, noise=0.0, colour=0.0)
model = dict(data_preprocessor=dict(augment=still))
max_iters = 120
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_dataloader = None
val_cfg = None
val_evaluator = None
default_hooks = dict(logger=dict(interval=20))
