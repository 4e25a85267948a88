# sacm_camvid_small.py by Muon, for twice the steps: 0.3 M parameters, 45 minutes of a CPU core
# (--fast).
_base_ = './sacm_camvid_small.py'
optim_wrapper = dict(optimizer=dict(_delete_=True, type='sacm_mm.Muon', lr=4e-3, weight_decay=0.05))
max_iters = 3600  # 30 epochs
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
