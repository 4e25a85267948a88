# The VOC2012 setting trained on VOC2012 + SBD.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/voc2012_aug.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
