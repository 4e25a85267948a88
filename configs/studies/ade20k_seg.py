# Backbones on ADE20K under one recipe and one head.
_base_ = ['./_base_/seg320.py', '../_base_/datasets/ade20k.py']
model = dict(decode_head=dict(num_classes=150))
train_dataloader = dict(sampler=dict(type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
study = dict(
    title='Backbones on ADE20K',
    about='20210 training and 2000 test images of 150 classes, from scratch, one recipe '
    'and UPerNet for all, on maps of the strides 4, 8, 16 and 32, which isotropic backbones '
    'reach through the pixel-shuffle pyramid.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(320, 320),
    networks={{_base_.networks}},
)
