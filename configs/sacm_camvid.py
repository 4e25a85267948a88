# SA-ConvMixer 512/12/5/5 on CamVid.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/camvid.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(decode_head=dict(num_classes=11))
