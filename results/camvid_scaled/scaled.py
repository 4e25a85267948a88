# sacm_camvid_gpu_more.py tested at 1.5 times the size; val at others likewise.
_base_ = '../../configs/sacm_camvid_gpu_more.py'
load = dict(type='LoadImageFromFile')
scaled = dict(type='Resize', scale=(720, 540), keep_ratio=True)
truth = [dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
test_dataloader = dict(dataset=dict(pipeline=[load, scaled, *truth]))
flips = [
    [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
    *([step] for step in truth),
]
tta_pipeline = [load, scaled, dict(type='TestTimeAug', transforms=flips)]
