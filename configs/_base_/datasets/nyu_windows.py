# NYU Depth v2 at half its size, trained in windows of half that area: for CPUs.
_base_ = ['./nyu_in_memory.py']
augment = dict(crop_size=(160, 240))
train_dataloader = dict(batch_size=8)
