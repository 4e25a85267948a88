# ConvMLP-S with Semantic FPN on ADE20K, the paper's setting; the recipe is ours.
_base_ = [
    './_base_/models/convmlp_fpn.py',
    './_base_/datasets/ade20k_512.py',
    './_base_/schedules/adamw_onecycle_40k.py',
    './_base_/default_runtime.py',
    './_base_/seg_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=1e-3))
max_iters = 160000
train_cfg = dict(max_iters=max_iters, val_interval=16000)
