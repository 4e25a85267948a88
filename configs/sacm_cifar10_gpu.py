# sacm_cifar10_airbench.py on one GPU (--fast): larger batches, more epochs.
_base_ = './sacm_cifar10_airbench.py'
train_dataloader = dict(batch_size=256, num_workers=6)
train_cfg = dict(max_epochs=32, val_interval=32)
