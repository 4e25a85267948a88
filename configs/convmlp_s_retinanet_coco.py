# ConvMLP-S with RetinaNet on COCO 2017 for 12 epochs, the authors' setting. Needs
# onedl-mmdetection, and mmcv with its compiled operators: docs/swap.md.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['sacm_mm'], allow_failed_imports=False)
data_root = '{{$SACM_DATA:data}}/coco/'
model = dict(
    backbone=dict(
        _delete_=True,
        type='sacm_mm.ConvMLP',
        arch='s',
        out_indices=(0, 1, 2, 3),
        out_norm=False,
        drop_path_rate=0.1,
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val2017.json')
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4))
