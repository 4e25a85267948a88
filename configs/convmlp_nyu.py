# ConvMLP-S with the pixel-shuffle depth head on NYU Depth v2: four maps, concatenated at stride 4.
_base_ = './sacm_nyu.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='sacm_mm.ConvMLP',
        arch='s',
        out_indices=(0, 1, 2, 3),
        out_norm=False,
        drop_path_rate=0.1,
    ),
    decode_head=dict(in_channels=[64, 128, 256, 512], in_index=[0, 1, 2, 3], upscale_factor=4),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
