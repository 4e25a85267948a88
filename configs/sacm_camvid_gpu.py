# SA-ConvMixer 192/12/5/5 with rising dilations on CamVid's train, 0.74 M parameters, on one GPU.
_base_ = [
    './_base_/models/sa_convmixer_seg.py',
    './_base_/datasets/camvid_in_memory.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
model = dict(
    data_preprocessor=dict(type='sacm_mm.SegDataPreProcessor', augment={{_base_.augment}}),
    backbone=dict(arch='d192-l12-k5-p5-dil1248', out_indices=(2, 5, 8, 11)),
    decode_head=dict(
        in_channels=[192] * 4,
        in_index=[0, 1, 2, 3],
        num_classes=11,
        loss_decode=dict(type='CrossEntropyLoss', class_weight={{_base_.class_weight}}),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=4e-3))
max_iters = 3650  # 318 epochs
train_cfg = dict(max_iters=max_iters, val_interval=1000)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.ReweighClassesHook', class_weight={{_base_.class_weight}}, share=0.75),
]
