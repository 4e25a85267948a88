# SA-ConvMixer 256/8/5/2 on CIFAR-10 with what made airbench fast: a whitening start, alternating
# flips, small shifts, smoothed labels, and six views at the test (--tta).
_base_ = './sacm_cifar10_k5.py'
train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=2, padding_mode='reflect'),
    dict(type='sacm_mm.AlternatingFlip'),
    dict(type='PackInputs'),
]
shift = dict(type='Translate', prob=1.0, random_negative_prob=0.0, direction='horizontal')
tta_pipeline = [
    dict(type='Resize', scale=(32, 32)),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
            [dict(magnitude=pixels / 32, **shift) for pixels in (-1, 0, 1)],
            [dict(type='PackInputs')],
        ],
    ),
]
model = dict(head=dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.2, mode='original')))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
custom_hooks = [dict(type='sacm_mm.ProgressBarHook'), dict(type='sacm_mm.WhitenStemHook')]
train_cfg = dict(max_epochs=25)
