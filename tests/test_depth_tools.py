"""Depth and the joint task through tools/train.py and tools/test.py, on samples of NYU."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from conftest import LOADERS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from PIL import Image

from sacm_mm.core.configs import find_config

JOINT = 'sacm_nyu_joint_light.py'
TINY = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    'train_dataloader.batch_size=2',
    'scale=(64,48)',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
    *LOADERS,
]
TINY_HEAD = ['model.depth_head.in_channels=16', 'model.depth_head.upscale_factor=4']


@pytest.fixture
def nyu(depth_root, tmp_path, monkeypatch):
    """A copy of the set that a test may spoil, and that the configs find."""
    shutil.copytree(depth_root / 'nyu', tmp_path / 'data/nyu')
    monkeypatch.setenv('SACM_DATA', str(tmp_path / 'data'))
    return tmp_path / 'data/nyu'


@pytest.mark.parametrize('config', ['sacm_nyu_light.py', JOINT])
def test_a_run_is_scored_and_drawn(run_tool, nyu, work, tmp_path, config):
    options = ['--cfg-options', *TINY, *(TINY_HEAD if config == JOINT else [])]
    assert run_tool('train', config, '--work-dir', work, *options).code == 0
    grid, shown, out = tmp_path / 'grid.png', tmp_path / 'shown', tmp_path / 'out'
    done = run_tool(
        'test', config, work, '--work-dir', work / 'test', '--grid', grid, '--show-dir', shown,
        '--out', out, *options,
    )  # fmt: skip
    assert done.code == 0
    assert 'nyu_eigen/abs_rel' in done.out
    assert ('mIoU' in done.out) == (config == JOINT)
    folders = ['classes', 'depth'] if config == JOINT else ['.']
    for folder in folders:
        assert len(list((out / folder).glob('*.png'))) == 4
    depth = np.array(Image.open(next((out / folders[-1]).glob('*.png'))))
    assert depth.dtype == np.uint16 and depth.min() > 0 and depth.max() <= 10_000  # mm
    pictures = sorted(shown.rglob('*.png'))
    assert len(pictures) == 4
    columns = 3 if config == JOINT else 2  # image over error, then truth over prediction
    for picture in pictures:
        width, height = Image.open(picture).size
        assert width == pytest.approx(columns * 510 + 10, abs=2)
        assert np.array(Image.open(picture)).std() > 20
    panels = 6 if config == JOINT else 4
    width, height = Image.open(grid).size
    assert width == pytest.approx(120 * (panels * 3.3 + 0.1), abs=2)
    assert height > 4 * 120 * 3.2 * 48 / 64  # a row for each of four images


def test_spoilt_depth_is_refused_in_one_line(run_tool, nyu, work):
    def error():
        arguments = ('--work-dir', work, '--cfg-options', *TINY)
        return run_tool('train', 'sacm_nyu_light.py', *arguments).error

    def spoil(pixels):
        for path in (nyu / 'annotations/train').iterdir():
            assert cv2.imwrite(str(path), pixels)

    spoil(np.full((48, 64), 9, np.uint8))
    assert ".png' has pixel format L: it must be one 16-bit channel" in error()
    spoil(np.full((24, 32), 900, np.uint16))
    assert 'is 32x24 pixels, but its image is 64x48' in error()
    spoil(np.full((48, 64), 900, np.uint16))
    (nyu / 'images/train/0000.jpg').write_bytes(b'nothing')
    (nyu / 'annotations/train/0001.png').write_bytes(b'nothing')
    assert 'cannot read' in error()
    (nyu / 'annotations/train/0002.png').unlink()
    assert 'depth map of image' in error()


@pytest.mark.parametrize('name', ['sacm_nyu_light', JOINT.removesuffix('.py')])
def test_views_of_the_pipeline_are_those_of_the_mode(nyu, name):
    cfg = Config.fromfile(find_config(name))
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(dict(**cfg.tta_model, module=cfg.model)).eval()
    head = getattr(model.module, 'depth_head', model.module.decode_head)
    head.conv_seg.weight.data.mul_(100)  # or every pixel would be about as far
    merged = predict(model, cfg, cfg.tta_pipeline)
    plain = predict(model.module, cfg, cfg.test_pipeline)
    model.module.test_cfg.mode = 'whole_flip'
    flipped = predict(model.module, cfg, cfg.test_pipeline)
    assert not torch.allclose(plain.pred_depth_map.data, flipped.pred_depth_map.data, atol=0.01)
    torch.testing.assert_close(
        merged.pred_depth_map.data, flipped.pred_depth_map.data, atol=1e-4, rtol=0
    )
    assert torch.equal(merged.gt_depth_map.data, flipped.gt_depth_map.data)


def predict(model, cfg, pipeline):
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': pipeline})
    with torch.no_grad():
        return model.test_step(pseudo_collate([dataset[0]]))[0]
