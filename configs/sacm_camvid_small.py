# SA-ConvMixer 128/8/5/5 with rising dilations on CamVid, 0.3 M parameters: an hour on one core.
_base_ = './sacm_camvid_light.py'
model = dict(
    backbone=dict(arch='d128-l8-k5-p5-dil1248', out_indices=(1, 3, 5, 7)),
    decode_head=dict(in_channels=[128] * 4, in_index=[0, 1, 2, 3]),
)
train_dataloader = dict(batch_size=3)
max_iters = 1800  # 15 epochs
train_cfg = dict(max_iters=max_iters, val_interval=900)
default_hooks = dict(checkpoint=dict(interval=200))
