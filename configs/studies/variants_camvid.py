# What helps a small SA-ConvMixer? On CamVid's val, so that test stays unseen.
_base_ = './_base_/camvid.py'
study = dict(
    title='Variants of SA-ConvMixer: CamVid, val',
    about='SA-ConvMixer 128/8/5/5 and one change at a time, tested on the 101 images of val: '
    'they share their drives with train, which is good for a ranking and for nothing else. '
    'Four blocks: the outputs of blocks 2, 4, 6 and 8 go to the head together.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
    seeds=(0, 1),
    networks={
        'base': dict(label='128/8/5/5'),
        'four-blocks': dict(
            label='four blocks',
            model=dict(
                backbone=dict(out_indices=(1, 3, 5, 7)),
                decode_head=dict(in_channels=[128] * 4, in_index=[0, 1, 2, 3]),
            ),
        ),
    },
)
model = dict(backbone=dict(arch='d128-l8-k5-p5'), decode_head=dict(in_channels=128))
# float32 without compiled kernels, which know no dilation: all networks alike
optim_wrapper = dict(type='OptimWrapper')
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.SeedStepsHook'),
    dict(type='sacm_mm.KeepSamplesHook', num_images=5),
]
train_dataloader = dict(batch_size=4)
test_dataloader = dict(dataset=dict(data_prefix=dict(img_path='val', seg_map_path='valannot')))
crop = 'train_dataloader.dataset.pipeline'
budgets = dict(
    # 3.3 epochs of crops of 240x240: five minutes on one core
    laptop={f'{crop}.3.crop_size': (240, 240), f'{crop}.4.size': (240, 240)},
)
