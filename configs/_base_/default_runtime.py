# What every config shares, whatever the task.
custom_imports = dict(imports=['sacm_mm'], allow_failed_imports=False)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
custom_hooks = [dict(type='sacm_mm.ProgressBarHook')]
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
