# sacm_nyu_gpu.py goes on: 100 more epochs from its weights, by --weights nyu_gpu. It had learned
# its pictures by heart, so they change more: zoom, rotation, erased rectangles.
_base_ = './sacm_nyu_gpu.py'
model = dict(
    data_preprocessor=dict(augment=dict(zoom=(1.0, 1.5), degree=5.0, erase=0.5)),
    decode_head=dict(
        loss_decode=[
            dict(type='sacm_mm.SiLogLoss', lambd=0.5),
            dict(type='sacm_mm.DepthGradientLoss', loss_weight=0.3),
        ],
    ),
)
max_iters = 2500
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
