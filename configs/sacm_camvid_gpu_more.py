# sacm_camvid_gpu_all.py goes on: 253 more epochs of train and val from its weights, by
# --weights camvid_gpu_all.
_base_ = './sacm_camvid_gpu_all.py'
optim_wrapper = dict(optimizer=dict(lr=3e-3))
max_iters = 3700
train_cfg = dict(max_iters=max_iters)
