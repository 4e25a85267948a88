# ConvMLP-L with Semantic FPN on ADE20K.
_base_ = './convmlp_s_ade20k.py'
model = dict(backbone=dict(arch='l'), neck=dict(in_channels=[96, 192, 384, 768]))
