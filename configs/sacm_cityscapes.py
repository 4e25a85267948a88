# SA-ConvMixer 512/12/5/5 on Cityscapes at 256x512, the paper's setting.
# 256 and 512 are no multiples of 5, which the authors' network cannot run: ours pads to the patch.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/cityscapes.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(decode_head=dict(num_classes=19))
max_iters = 80000
train_cfg = dict(max_iters=max_iters, val_interval=8000)
