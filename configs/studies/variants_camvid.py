# What helps a small SA-ConvMixer? On CamVid's val, so that test stays unseen.
_base_ = './_base_/camvid.py'
blocks = [1, 3, 5, 7]
four_blocks = dict(in_channels=[128] * 4, in_index=[0, 1, 2, 3])
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
            model=dict(backbone=dict(out_indices=blocks), decode_head=four_blocks),
        ),
        'dil': dict(
            label='dilations 1, 2, 4, 8', model=dict(backbone=dict(arch='d128-l8-k5-p5-dil1248'))
        ),
        'dil-four-blocks': dict(
            label='dilations, four blocks',
            model=dict(
                backbone=dict(arch='d128-l8-k5-p5-dil1248', out_indices=blocks),
                decode_head=four_blocks,
            ),
        ),
        'rep-four-blocks': dict(
            label='reparametrised kernels, four blocks',
            model=dict(
                backbone=dict(arch='d128-l8-k5-p5-rep', out_indices=blocks),
                decode_head=four_blocks,
            ),
        ),
        'se-four-blocks': dict(
            label='squeeze-excitation, four blocks',
            model=dict(
                backbone=dict(arch='d128-l8-k5-p5-se', out_indices=blocks), decode_head=four_blocks
            ),
        ),
        'dil-se-four-blocks': dict(
            label='dilations, squeeze-excitation, four blocks',
            model=dict(
                backbone=dict(arch='d128-l8-k5-p5-dil1248-se', out_indices=blocks),
                decode_head=four_blocks,
            ),
        ),
        'patch-4-dil-four-blocks': dict(
            label='patch 4, dilations, four blocks',
            model=dict(
                backbone=dict(arch='d128-l8-k5-p4-dil1248', out_indices=blocks),
                decode_head=dict(upscale_factor=4, **four_blocks),
            ),
        ),
        'patch-8-dil-four-blocks': dict(
            label='256 channels, patch 8, dilations, four blocks',
            model=dict(
                backbone=dict(arch='d256-l8-k5-p8-dil1248', out_indices=blocks),
                decode_head=dict(upscale_factor=8, in_channels=[256] * 4, in_index=[0, 1, 2, 3]),
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
