# NYU Depth v2 with its masks of 39 classes, for depth and segmentation.
_base_ = ['./nyu.py']
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/train')))
val_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path='labels40/test')))
test_dataloader = val_dataloader
