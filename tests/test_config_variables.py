"""A variable of a config gets another value, and what was made from it follows."""

import pytest

from sacm_mm import UserError
from sacm_mm.core.configs import load_config

BASE = """size = (
    4,  # 'ä'
    4,
)
name = '{{fileBasename}}'
x = size
"""


def steps_of(cfg, split='train'):
    return {step.type: step for step in cfg[f'{split}_dataloader'].dataset.pipeline}


def test_sizes_follow_their_names():
    cfg = load_config('sacm_voc.py', ['crop_size=(96,128)', 'scale=(640,160)'])
    train = steps_of(cfg)
    assert train['RandomCrop'].crop_size == (96, 128)
    assert train['Pad'].size == (128, 96), 'width, height'
    assert train['RandomResize'].scale == (640, 160)
    assert steps_of(cfg, 'test')['Resize'].scale == (640, 160)
    assert cfg.tta_pipeline[1].transforms[0][0].scale == (640, 160)
    assert cfg.crop_size == (96, 128)


def test_parts_of_a_variable_are_followed_too():
    before = load_config('sacm_nyu_nano.py')
    assert before.augment.crop_size == (120, 160)
    for options in (
        ['augment.crop_size=(96,128)'],
        {'augment': {'crop_size': (96, 128)}},
        {'augment': {**before.augment, 'crop_size': (96, 128), '_delete_': True}},
    ):
        cfg = load_config('sacm_nyu_nano.py', options)
        assert cfg.augment.crop_size == (96, 128)
        assert cfg.model.data_preprocessor.augment == cfg.augment
        assert (
            cfg.augment.pop('crop_size')
            and {**cfg.augment, 'crop_size': (120, 160)} == before.augment
        )
    train = steps_of(load_config('sacm_voc.py', ['train_pipeline.2.scale=(640,160)']))
    assert train['RandomResize'].scale == (640, 160)


def test_all_else_stays():
    before = load_config('sacm_camvid_fpn.py')
    same = load_config('sacm_camvid_fpn.py', {'crop_size': before.crop_size})
    assert same.to_dict() == before.to_dict()
    assert same.filename.endswith('sacm_camvid_fpn.py')
    # over two bases, and from a parent's list into a child's loss
    other = load_config('sacm_camvid_fpn.py', {'class_weight': [1.0] * 11})
    assert other.model.decode_head.loss_decode.class_weight == [1.0] * 11


def test_it_works_together_with_dotted_options_in_any_place(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'child.py').write_text("_base_ = ['./base.py']\nsize = 5\npart = dict(y=size)\n")
    cfg = load_config(str(tmp_path / 'child.py'), ['part.z=1', 'size=7'])
    assert (cfg.size, cfg.x, cfg.part.y, cfg.part.z, cfg.name) == (7, 7, 7, 1, 'base.py')
    (tmp_path / 'made.py').write_text('a = dict(x=1)\nb = dict(a=a)\nmodel = dict(b=b)\n')
    cfg = load_config(str(tmp_path / 'made.py'), ['b.y=3', 'a.x=2'])
    assert cfg.model.b == dict(a=dict(x=2), y=3)
    (tmp_path / 'grown.py').write_text('n = 1\na = [dict(z=0)] * n\nmodel = dict(a=a)\n')
    cfg = load_config(str(tmp_path / 'grown.py'), ['n=2', 'a.1.z=3'])
    assert cfg.model.a[1] == dict(z=3)


def test_each_file_keeps_what_else_it_gave_a_variable(tmp_path):
    (tmp_path / 'base.py').write_text('a = dict(x=1, y=1)\nsteps = [1]\nmodel = dict(b=a)\n')
    (tmp_path / 'child.py').write_text(
        "_base_ = './base.py'\na = dict(y=2)\nsteps = [1, dict(z=1)]\n"
        'c = {{_base_.a}}\ne = dict(a={{_base_.a}})\n'
        'model = dict(c={{_base_.a}}, d=a, steps=steps)\n'
    )
    path = str(tmp_path / 'child.py')
    cfg = load_config(path, ['a.x=5', 'steps.1.z=3'])
    assert cfg.model.b == cfg.model.c == dict(x=5, y=1)
    assert cfg.model.d == dict(x=5, y=2) and cfg.a == dict(x=5, y=2)
    assert cfg.model.steps == [1, dict(z=3)]
    with pytest.raises(UserError, match=r"'c' is another name for what a base has"):
        load_config(path, ['c.x=5'])
    with pytest.raises(UserError, match=r'e.a.x do not fit config'):
        load_config(path, ['e.a.x=5'])


def test_a_value_that_the_config_cannot_use_is_said_in_one_line():
    with pytest.raises(UserError, match=r'do not fit .*sacm_voc.py: .*not subscriptable'):
        load_config('sacm_voc.py', ['crop_size=64'])


def test_a_variable_that_nothing_is_made_from_is_refused(tmp_path):
    cfg = load_config('sacm_voc.py')
    cfg.dump(tmp_path / 'written.py')  # as into a work dir: values only
    path = str(tmp_path / 'written.py')
    with pytest.raises(UserError, match="is made from its 'crop_size'"):
        load_config(path, ['crop_size=(64,64)'])
    with pytest.raises(UserError, match="is made from its 'train_pipeline'"):
        load_config(path, ['train_pipeline.2.scale=(640,160)'])
    assert load_config(path, ['crop_size=(320,320)', 'resume=True']).resume


def test_other_languages_refuse_what_they_cannot_follow(tmp_path):
    (tmp_path / 'base.py').write_text(BASE + 'model = dict(size=size)\n')
    lazy = 'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
    (tmp_path / 'lazy.py').write_text(lazy)
    (tmp_path / 'plain.yaml').write_text('size: [4, 4]\nnorm: {eps: 1}\nmodel: {norm: {eps: 1}}')
    for config, option in (
        ('lazy.py', 'size=5'),
        ('plain.yaml', 'size=5'),
        ('plain.yaml', 'norm.eps=2'),
    ):
        with pytest.raises(UserError, match=f"is made from its '{option[:4].rstrip('=.')}'"):
            load_config(str(tmp_path / config), [option])
    cfg = load_config(str(tmp_path / 'plain.yaml'), ['model.norm.eps=2'])
    assert (cfg.model.norm.eps, cfg.norm.eps) == (2, 1)
    cfg = load_config(str(tmp_path / 'lazy.py'), ['size=(4,4)', 'model.size=5'])
    assert cfg.to_dict() == {'size': (4, 4), 'model': {'size': 5}, 'x': (4, 4), 'name': cfg.name}


@pytest.mark.parametrize(
    ('option', 'near'), [('crop_sze=64', 'crop_size'), ('modell.backbone.arch=x', 'model')]
)
def test_a_name_that_nothing_reads_is_refused(option, near):
    with pytest.raises(UserError, match=rf"has no '\w+': did you mean {near}\?"):
        load_config('sacm_voc.py', [option])


def test_it_works_on_stock_configs():
    name = 'mmseg:fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    cfg = load_config(
        name,
        ['crop_size=(64,64)', 'norm_cfg.type=BN', 'optimizer.lr=1', 'data_preprocessor.pad_val=9'],
    )
    assert steps_of(cfg)['RandomCrop'].crop_size == (64, 64)
    assert cfg.model.backbone.norm_cfg.type == cfg.model.decode_head.norm_cfg.type == 'BN'
    assert cfg.optim_wrapper.optimizer.lr == 1
    assert (cfg.model.data_preprocessor.pad_val, cfg.model.data_preprocessor.size) == (9, (64, 64))
