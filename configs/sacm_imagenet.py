# SA-ConvMixer 768/32/7/7 on ImageNet-1k, the paper's recipe: 4 GPUs, run with --amp.
_base_ = [
    './_base_/models/sa_convmixer_cls.py',
    './_base_/datasets/imagenet.py',
    './_base_/schedules/adamw_onecycle_150e.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
model = dict(
    data_preprocessor=dict(num_classes=1000),  # for the mixed labels
    backbone=dict(arch='d768-l32-k7-p7'),
    head=dict(num_classes=1000, in_channels=768, topk=(1, 5)),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.5), dict(type='CutMix', alpha=0.5)]),
)
val_evaluator = dict(topk=(1, 5))
test_evaluator = val_evaluator
