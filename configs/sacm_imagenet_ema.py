# SA-ConvMixer 768/32/7/7 on ImageNet-1k, evaluated with averaged weights.
_base_ = './sacm_imagenet.py'
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',  # in the first epochs over fewer steps
        momentum=1e-4,
        update_buffers=True,
    ),
]
