# sacm_cifar10_gpu.py goes on with strong augmentation, in windows of 24 pixels: 44 % fewer tokens.
# By --fast --weights cifar10_gpu; whole.py then goes on with whole pictures.
_base_ = '../../configs/sacm_cifar10_gpu_strong.py'
model = dict(data_preprocessor=dict(augment=dict(crop_size=(24, 24), zoom=(0.75, 1.2))))
train_dataloader = dict(batch_size=128)
val_dataloader = None  # the test pictures are looked at once
val_cfg = None
val_evaluator = None
optim_wrapper = dict(optimizer=dict(lr=5e-3))
train_cfg = dict(max_epochs=7)
