# ConvMLP-L with Mask R-CNN on COCO, see convmlp_s_mask_rcnn_coco.py.
_base_ = './convmlp_s_mask_rcnn_coco.py'
model = dict(backbone=dict(arch='l'), neck=dict(in_channels=[96, 192, 384, 768]))
