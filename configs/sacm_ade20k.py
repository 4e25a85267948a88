# SA-ConvMixer 512/16/5/5 on ADE20K at 320x320, blocks 7 to 15 concatenated: the paper's setting.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/ade20k.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(
    backbone=dict(arch='d512-l16-k5-p5', out_indices=list(range(7, 16))),
    decode_head=dict(in_channels=[512] * 9, in_index=list(range(9)), num_classes=150),
)
max_iters = 160000
train_cfg = dict(max_iters=max_iters, val_interval=16000)
