# The last epochs after sacm_camvid_gpu.py, by --weights: whole pictures, none pasted together, and
# a quarter of the class weights' logarithms. 40 minutes of one core.
_base_ = './sacm_camvid_gpu.py'
weights = [0.81, 0.77, 1.15, 0.75, 0.95, 0.86, 1.13, 1.13, 0.92, 1.21, 1.34]
augment = dict(
    type='sacm_mm.BatchAugment', crop_size=(360, 480), zoom=(0.9, 1.4), stretch=1.1, grey=0.05
)
model = dict(
    data_preprocessor=dict(augment=dict(_delete_=True, **augment)),
    decode_head=dict(loss_decode=dict(class_weight=weights)),
)
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
max_iters = 150  # 3 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.ReweighClassesHook', before={{_base_.class_weight}}, after=weights),
]
