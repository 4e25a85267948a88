# CS-Mixer-T on ImageNet-1k; the paper does not confirm its size. Its drop path is the paper's,
# the rest of the recipe ours.
_base_ = [
    './_base_/models/csmixer_cls.py',
    './_base_/datasets/imagenet.py',
    './_base_/schedules/adamw_cosine_300e.py',
    './_base_/default_runtime.py',
    './_base_/cls_runtime.py',
]
train_dataloader = dict(batch_size=128)
val_evaluator = dict(topk=(1, 5))
test_evaluator = val_evaluator
