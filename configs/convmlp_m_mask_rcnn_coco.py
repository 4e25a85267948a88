# ConvMLP-M with Mask R-CNN on COCO, see convmlp_s_mask_rcnn_coco.py.
_base_ = './convmlp_s_mask_rcnn_coco.py'
model = dict(backbone=dict(arch='m'))
