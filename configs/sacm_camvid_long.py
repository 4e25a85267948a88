# SA-ConvMixer 192/8/5/5 with rising dilations on CamVid's train and val, 0.57 M parameters: about
# twelve hours on two cores. Nothing is left to validate on.
_base_ = './sacm_camvid_small.py'
model = dict(backbone=dict(arch='d192-l8-k5-p5-dil1248'), decode_head=dict(in_channels=[192] * 4))
train_dataloader = dict(
    batch_size=8, dataset=dict(also=dict(img_path='val', seg_map_path='valannot'))
)
val_dataloader = None
val_cfg = None
val_evaluator = None
max_iters = 20000  # 342 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
