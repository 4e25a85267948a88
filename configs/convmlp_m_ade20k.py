# ConvMLP-M with Semantic FPN on ADE20K.
_base_ = './convmlp_s_ade20k.py'
model = dict(backbone=dict(arch='m'))
