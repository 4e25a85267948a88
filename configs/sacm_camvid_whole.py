# SA-ConvMixer 192/8/5/5 with rising dilations on CamVid's train and val, 0.57 M parameters: seven
# epochs at the whole size after sacm_camvid_half.py, by --weights; two hours of one core in all.
_base_ = './sacm_camvid_long.py'
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
