# sacm_camvid_gpu_more.py goes on by Muon: 137 more epochs of train and val from its weights, by
# --weights camvid_gpu_more, two hours of a CPU core with bfloat16 (--fast).
_base_ = '../../configs/sacm_camvid_gpu_more.py'
optim_wrapper = dict(optimizer=dict(_delete_=True, type='sacm_mm.Muon', lr=3e-3, weight_decay=0.05))
train_dataloader = dict(batch_size=16)
max_iters = 4000
train_cfg = dict(max_iters=max_iters)
