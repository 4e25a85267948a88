# The last epochs after sacm_camvid_gpu_all.py, by --weights, on train and val.
_base_ = './sacm_camvid_gpu_end.py'
train_dataloader = dict(
    dataset=dict(dataset=dict(also=dict(img_path='val', seg_map_path='valannot')))
)
val_dataloader = None
val_cfg = None
val_evaluator = None
max_iters = 150  # 3 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
