# SA-ConvMixer 512/12/5/5 on PASCAL VOC2012 at 320x320, the paper's setting.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/voc2012.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
