# Classification under mmpretrain; training is counted in epochs, as its configs do.
default_scope = 'mmpretrain'
visualizer = dict(
    type='UniversalVisualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='sacm_mm.CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seed_steps=dict(type='sacm_mm.SeedStepsHook'),
    finite=dict(type='sacm_mm.StopOnNonFiniteHook'),
    signals=dict(type='sacm_mm.StopOnSignalHook'),
    visualization=dict(type='sacm_mm.ClsVisualizationHook', enable=False),
)
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
tta_model = dict(type='AverageClsScoreTTA')
