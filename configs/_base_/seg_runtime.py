# Segmentation under mmsegmentation; training is counted in iterations, as its configs do.
default_scope = 'mmseg'
visualizer = dict(
    type='SegLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
    name='visualizer',
)
log_processor = dict(by_epoch=False)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='sacm_mm.CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seed_steps=dict(type='sacm_mm.SeedStepsHook'),
    finite=dict(type='sacm_mm.StopOnNonFiniteHook'),
    signals=dict(type='sacm_mm.StopOnSignalHook'),
    visualization=dict(type='sacm_mm.SegVisualizationHook'),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
tta_model = dict(type='sacm_mm.DenseTTAModel')
