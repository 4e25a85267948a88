"""How tools/train.py and tools/test.py refuse what cannot work: one line, exit code 2."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import CAMVID, TINY_CAMVID, TINY_CIFAR
from PIL import Image


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*'))


# ------------------------------------------ found before anything runs: nothing is written


@pytest.mark.parametrize('name', ['sacm_camvd.py', 'sacm_camvd', 'configs/sacm_camvd.py'])
def test_config_that_does_not_exist(train, work, data, name):
    error = train(config=name).error
    assert f"config '{name}' does not exist" in error
    assert 'sacm_camvid.py' in error
    assert not work.exists()


@pytest.mark.parametrize(
    ('text', 'culprit'),
    [
        ('model = dict(', 'was never closed'),
        ('model = nothing', 'nothing'),
        ("_base_ = './no_such_base.py'", 'no_such_base.py'),
        ("custom_imports = dict(imports=['no_such_module'])", 'no_such_module'),
    ],
)
def test_config_that_does_not_load(train, work, data, tmp_path, text, culprit):
    config = tmp_path / 'broken.py'
    config.write_text(text)
    error = train(config=config).error
    assert culprit in error
    assert 'config' in error
    assert not work.exists()


@pytest.mark.parametrize(
    ('option', 'culprit'),
    [
        ('model.backbone.arch=huge', "unknown arch 'huge': a name is d<dim>-l<layers>-k<kernel>"),
        ('model.backbone.arch=d16-l2-k3', 'd512-l12-k5-p5'),
        ('model.backbone.arch=d16-l2-k4-p4', 'kernel_size must be odd'),
        ('model.backbone.out_indices=(0,7)', 'out_indices'),
        ('model.decode_head.in_channels=17', 'its feature maps have 16 channels'),
        ('model.decode_head.in_index=1', 'set out_indices of the backbone'),
        ('model.backbone.colour=red', "unexpected keyword argument 'colour'"),
        ('model.backbone.type=SAConvMixr', 'SAConvMixr is not in the'),
        ('optim_wrapper.optimizer.type=AdamX', "'optim_wrapper.optimizer' of the config names an"),
        ('default_hooks.visualization.type=Draw', "unknown type 'Draw'"),
        ('val_evaluator.type=mIoU', "unknown type 'mIoU'"),
        ('val_evaluator.iou_metrics=mIou', 'choose from mIoU, mDice, mFscore'),
        ('test_evaluator.iou_metrics="[\'a\']"', "'test_evaluator.iou_metrics' of the config has"),
        ('train_cfg.val_interval=often', 'it must be a number'),
        ('train_dataloader.dataset.colour=red', "unexpected keyword argument 'colour'"),
        ('colour', "option 'colour' is not KEY=VALUE"),
        ('model.backbone=dict(arch=d16-l2-k3-p4)', 'as in model.backbone.type='),
        ("param_scheduler=[{'type': 'PolyLR'}]", 'as in param_scheduler.type='),
        ('model=3', "'model' of the config is 3: it must be a dict"),
        ('param_scheduler=5', "'param_scheduler' of the config is 5: it must be a dict or a list"),
        ('resume=maybe', "'resume' of the config is 'maybe': it must be True or False"),
        ('default_scope=bananas', "'default_scope' of the config is 'bananas'"),
        ('val_dataloader=None', 'the config has no val_dataloader: val_dataloader, val_cfg, val_'),
        ('optim_wrapper=None', 'the config has no optim_wrapper'),
        ('train_dataloader.sampler=None', "'train_dataloader' of the config has no sampler"),
        (
            'train_dataloader.dataset.pipeline=5',
            "'train_dataloader.dataset' of the config does not",
        ),
        ('optim_wrapper.optimizer.lr=fast', "lr' of the config is 'fast': it must be a number"),
        ('train_cfg.max_iters=many', "max_iters' of the config is 'many': it must be a number"),
        ('log_level=LOUD', "does not run: KeyError: 'LOUD'"),
        (
            'train_dataloader.num_workers=x',
            "num_workers' of the config is 'x': it must be a number",
        ),
        ('train_dataloader.batch_size=9999999999', 'it must be at most'),
        ('crop_size=5', '--cfg-options'),
    ],
)
def test_settings_that_do_not_fit(train, work, data, option, culprit):
    assert culprit in train(options=[option]).error
    assert not work.exists()


def test_classification_head_that_does_not_fit(run_tool, cifar_root, work, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    options = [*TINY_CIFAR, 'model.head.in_channels=17']
    done = run_tool('train', 'sacm_cifar10.py', '--work-dir', work, '--cfg-options', *options)
    assert 'head has in_channels=17, but its feature maps have 16' in done.error
    assert not work.exists()


def test_config_fragment(run_tool, work, tmp_path):
    config = tmp_path / 'fragment.py'
    config.write_text('max_iters = 4\n')
    assert 'has no model' in run_tool('train', config, '--work-dir', work).error
    config.write_text('model = dict(backbone=dict())\n')
    assert 'has no train_dataloader' in run_tool('train', config, '--work-dir', work).error
    assert not work.exists()


def test_missing_data_folder(train, work, tmp_path, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(tmp_path / 'nowhere'))
    error = train().error
    assert f"'{tmp_path}/nowhere/camvid/train' does not exist" in error
    assert 'python tools/make_sample_data.py camvid' in error
    assert not work.exists()


def test_empty_data_folder(train, work, data):
    for image in (data / 'val').iterdir():
        image.unlink()
    error = train().error
    assert f"no images in '{data}/val/" in error
    assert 'python tools/make_sample_data.py camvid' in error
    assert not work.exists()


def test_missing_and_empty_lists_of_voc(train, work, voc_root, tmp_path, monkeypatch):
    root = tmp_path / 'data'
    shutil.copytree(voc_root, root)
    monkeypatch.setenv('SACM_DATA', str(root))
    names = root / 'VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt'
    first = names.read_text().split()[0]
    names.write_text(f'{first}\nno_such_image\n')
    assert "no_such_image.jpg' does not exist" in train(config='sacm_voc.py').error
    names.write_text('')
    assert f"no images in '{names}'" in train(config='sacm_voc.py').error
    names.unlink()
    assert f"image list '{names}' does not exist" in train(config='sacm_voc.py').error
    assert not work.exists()


def test_image_without_its_mask(train, work, data):
    mask = min((data / 'trainannot').iterdir())
    mask.unlink()
    error = train().error
    assert f"mask of image '{data}/train/{mask.name}'" in error
    assert f"'{mask}' does not exist" in error
    assert not work.exists()


@pytest.mark.parametrize('exists', [False, True])
def test_resume_with_nothing_to_resume(train, work, data, exists):
    if exists:
        work.mkdir()
    assert f"nothing to resume: no checkpoint in '{work}'" in train('--resume').error
    assert exists == work.exists()
    assert not exists or files(work) == []


def test_resume_from_a_checkpoint_that_does_not_exist(train, work, data):
    assert "checkpoint 'none.pth' does not exist" in train('--resume', 'none.pth').error
    assert not work.exists()


def test_work_dir_under_a_file(run_tool, data, tmp_path):
    (tmp_path / 'file').touch()
    done = run_tool(
        'train', CAMVID, '--work-dir', tmp_path / 'file/work', '--cfg-options', *TINY_CAMVID
    )
    assert f"'{tmp_path}/file' is a file, choose another folder" in done.error


@pytest.mark.parametrize('found', ['none.pth', '.'])
def test_checkpoint_that_does_not_exist(test, work, data, tmp_path, found):
    assert 'checkpoint' in test(checkpoint=tmp_path / found).error
    assert not work.exists()


@pytest.mark.parametrize('kept', [0, 5000])
def test_damaged_checkpoint(train, test, trained, work, data, tmp_path, kept):
    damaged = tmp_path / 'damaged.pth'
    damaged.write_bytes((trained / 'iter_4.pth').read_bytes()[:kept])
    for done in (
        test(checkpoint=damaged),
        train('--resume', damaged),
        train(options=[f'load_from={damaged}']),
    ):
        assert f"'{damaged}' is damaged" in done.error
    assert not work.exists()


def test_checkpoint_of_another_arch(test, trained, work, data):
    done = test(options=['model.backbone.arch=d16-l3-k3-p4'])
    assert f"checkpoint '{trained}" in done.error
    assert 'backbone.blocks.2' in done.error
    assert not work.exists()


def test_weights_to_start_from_that_do_not_exist(train, work, data):
    assert "'none.pth' does not exist" in train(options=['load_from=none.pth']).error
    assert not work.exists()


@pytest.mark.parametrize('way', ['load_from', 'init_cfg'])
def test_weights_to_start_from_of_which_none_fit(train, trained, work, data, tmp_path, way):
    """A backbone alone for the whole model, and a whole model for the backbone alone."""
    path = tmp_path / 'other.pth'
    weights = torch.load(trained / 'iter_4.pth', weights_only=True)['state_dict']
    if way == 'load_from':
        part = 'backbone.'
        weights = {n.removeprefix(part): w for n, w in weights.items() if n.startswith(part)}
    torch.save(weights, path)
    init = 'model.backbone.init_cfg'
    options = {
        'load_from': [f'load_from={path}'],
        'init_cfg': [f'{init}.type=Pretrained', f'{init}.checkpoint={path}'],
    }[way]
    error = train(options=options).error
    assert f"none of the weights in '{path}' fit the" in error
    assert "stem.proj.weight'" in error
    assert not work.exists()
    assert way == 'load_from' or train(options=[*options, f'{init}.prefix=backbone.']).code == 0


def test_resume_from_a_checkpoint_that_was_deleted(train, trained, work, data):
    shutil.copytree(trained, work)
    (work / 'iter_4.pth').unlink()
    (work / 'last_checkpoint').write_text(f'{work}/iter_4.pth')
    before = files(work)
    assert f"no checkpoint in '{work}'" in train('--resume').error
    assert files(work) == before


@pytest.mark.parametrize('flag', ['--out', '--show-dir', '--grid'])
def test_output_under_a_file(test, work, data, tmp_path, flag):
    (tmp_path / 'file').touch()
    assert "file' is a file" in test(flag, tmp_path / 'file/deep/out.png').error
    assert not work.exists()


def test_grid_that_is_no_png(test, work, data):
    assert "let 'grid.jpg' end in .png" in test('--grid', 'grid.jpg').error
    assert not work.exists()


def test_tta_that_the_config_does_not_have(run_tool, trained, work, data, tmp_path):
    config = tmp_path / 'plain.py'
    config.write_text("model = dict(type='EncoderDecoder')\n")
    done = run_tool('test', config, trained, '--work-dir', work, '--tta')
    assert f"'{config}' has no tta_model and tta_pipeline" in done.error
    assert not work.exists()


# ------------------------------------ found when an image is loaded: no checkpoint is written


def spoil_mask_value(data):
    path = min((data / 'trainannot').iterdir())
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(path)
    return path, 'holds the value 77: the 11 classes are 0..10'


def spoil_mask_mode(data):
    path = min((data / 'trainannot').iterdir())
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(path)
    return path, 'has pixel format RGB'


def spoil_mask_size(data):
    path = min((data / 'trainannot').iterdir())
    Image.fromarray(np.zeros((24, 64), np.uint8)).save(path)
    return path, 'is 64x24 pixels, but its image is 64x48'


def spoil_mask_bytes(data):
    path = min((data / 'trainannot').iterdir())
    path.write_bytes(path.read_bytes()[:60])
    return path, 'is truncated'


def spoil_image(data):
    path = min((data / 'train').iterdir())
    path.write_bytes(b'not an image')
    return path, 'cannot read image'


def truncate_image(data):
    path = min((data / 'train').iterdir())
    path.write_bytes(path.read_bytes()[:2000])
    return path, 'is truncated'


SPOILERS = [
    spoil_mask_value,
    spoil_mask_mode,
    spoil_mask_size,
    spoil_mask_bytes,
    spoil_image,
    truncate_image,
]


@pytest.mark.parametrize('spoil', SPOILERS)
def test_file_that_cannot_be_used(train, work, data, spoil):
    path, culprit = spoil(data)
    error = train().error
    assert f"'{path}'" in error
    assert culprit in error
    assert list(work.rglob('*.pth')) == []


@pytest.mark.parametrize('spoil', [spoil_mask_value, spoil_image])
def test_file_that_cannot_be_used_in_a_worker(train, work, data, spoil):
    path, culprit = spoil(data)
    workers = ['train_dataloader.num_workers=2']
    error = train(options=workers).error
    assert f"'{path}'" in error
    assert culprit in error
    assert list(work.rglob('*.pth')) == []


def test_image_of_other_channels(train, work, data):
    error = train(options=['model.backbone.in_channels=4']).error
    assert 'takes 4 channels: set in_channels=3' in error
    assert list(work.rglob('*.pth')) == []


def test_image_smaller_than_a_patch(test, data):
    name = min((data / 'test').iterdir()).name
    for folder in ('test', 'testannot'):
        with Image.open(data / folder / name) as picture:
            picture.crop((0, 0, 3, 40)).save(data / folder / name)
    assert 'an image of 40x3 pixels is smaller than one 4x4 patch' in test().error


@pytest.mark.slow
@pytest.mark.parametrize('verb', ['train', 'test'])
def test_nothing_is_said_after_the_error(verb, tmp_path):
    command = [
        sys.executable,
        '-m',
        'sacm_mm',
        verb,
        'sacm_camvid_light',
        *['x'] * (verb == 'test'),
    ]
    options = ['--work-dir', str(tmp_path), '--cfg-options', 'train_cfg.max_iter=3']
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith('error: ')
