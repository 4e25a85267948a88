# sacm_camvid_gpu.py on train and val: nothing is left to validate on.
_base_ = './sacm_camvid_gpu.py'
train_dataloader = dict(
    dataset=dict(dataset=dict(also=dict(img_path='val', seg_map_path='valannot')))
)
val_dataloader = None
val_cfg = None
val_evaluator = None
max_iters = 3350  # 229 epochs
train_cfg = dict(max_iters=max_iters)
