# ConvMLP-L with RetinaNet on COCO, see convmlp_s_retinanet_coco.py.
_base_ = './convmlp_s_retinanet_coco.py'
model = dict(backbone=dict(arch='l'), neck=dict(in_channels=[96, 192, 384, 768]))
