# small_windows.py goes on with whole pictures, by --fast --weights and its work dir.
_base_ = './small_windows.py'
model = dict(data_preprocessor=dict(augment=dict(crop_size=(32, 32), zoom=(0.8, 1.25))))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=2)
