# SA-ConvMixer 256/12/5/8 on Cityscapes at 512x1024, the authors' target: disparity in pixels.
_base_ = './sacm_cityscapes_depth.py'
max_disparity = 126.0
model = dict(decode_head=dict(max_depth=max_disparity))
visualizer = dict(max_depth=max_disparity, label='disparity (px)')
train_dataloader = dict(dataset=dict(target='disparity'))
val_dataloader = dict(dataset=dict(target='disparity'))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='authors')
test_evaluator = val_evaluator
