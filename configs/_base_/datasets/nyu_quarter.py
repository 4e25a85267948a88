# NYU Depth v2 at a quarter of its size, from memory: for CPUs. Whole pictures: windows of larger
# ones cost as much, and depth is worse with less of the room in view (results/nyu_windows).
_base_ = ['./nyu_in_memory.py']
scale = (160, 120)
augment = dict(crop_size=(120, 160))
image = dict(type='LoadImageFromFile')
resize = dict(type='Resize', scale=scale, keep_ratio=True)
truth = [
    dict(type='LoadAnnotations'),
    dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3),
]
pack = dict(type='PackSegInputs')
train_pipeline = [image, *truth, resize, pack]
test_pipeline = [image, resize, *truth, pack]
flips = [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)]
views = [[resize], flips, *([step] for step in truth), [pack]]
tta_pipeline = [image, dict(type='TestTimeAug', transforms=views)]
train_dataloader = dict(batch_size=8, dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
