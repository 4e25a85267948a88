# ConvMLP-S on ImageNet-1k. The network and its drop path are the paper's; the rest of the
# recipe is ours.
_base_ = [
    './_base_/models/convmlp_cls.py',
    './_base_/datasets/imagenet.py',
    './_base_/schedules/adamw_cosine_300e.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
train_dataloader = dict(batch_size=128)
val_evaluator = dict(topk=(1, 5))
test_evaluator = val_evaluator
