"""The checklists of CONTRIBUTING.md, followed in a scratch copy by somebody who read only them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from conftest import SMALL
from sample_data.layouts import WRITERS

ROOT = Path(__file__).resolve().parents[1]

BACKBONE = """
from types import MappingProxyType

from mmcv.cnn.bricks import DropPath
from torch import nn

from sacm_mm.models.backbones.arch import read_arch
from sacm_mm.models.backbones.staged import StagedBackbone
from sacm_mm.registry import MODELS

_ARCHS = {'s': dict(width=8), 'm': dict(width=16)}


@MODELS.register_module()
class StairNet(StagedBackbone):
    \"\"\"Four stages, each half as large as the one before.\"\"\"

    archs = ('s', 'm')
    small = MappingProxyType({'arch': 's'})

    def __init__(self, arch='s', in_channels=3, out_indices=(-1,), frozen_stages=-1,
                 drop_path_rate=0.0, with_cp=False, init_cfg=None):
        super().__init__(4, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        width = read_arch(arch, _ARCHS)['width']
        widths = [width * 2**i for i in range(4)]
        self.out_channels = tuple(widths[i] for i in self.out_indices)
        self.out_strides = tuple(4 * 2**i for i in self.out_indices)
        self.stem = nn.Conv2d(in_channels, width, 7, stride=2, padding=3)
        before = [width, *widths[:-1]]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU(),
                          DropPath(drop_path_rate))
            for a, b in zip(before, widths)
        )
        self.freeze()

    @classmethod
    def named(cls, name):
        read_arch(name, _ARCHS)
        return {'arch': name}

    def stages_from_stem(self):
        return [[self.stem], *([stage] for stage in self.stages)]

    def forward(self, x):
        self.check_channels(x)
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = self.run(stage, x)
            maps.append(x)
        return tuple(maps[i] for i in self.out_indices)
"""
LOSS = """
from torch import nn

from sacm_mm.registry import MODELS


@MODELS.register_module()
class TwiceLoss(nn.Module):
    loss_name = 'loss_twice'

    def forward(self, pred, target, **kwargs):
        return 2 * (pred - target).abs().mean()
"""
METRIC = """
from mmengine.evaluator import BaseMetric

from sacm_mm.registry import METRICS


@METRICS.register_module()
class CountMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [len(data_samples)]

    def compute_metrics(self, results):
        return {'images': sum(results)}
"""
DATA_SET = """
from sacm_mm.datasets.folders import FolderSegDataset
from sacm_mm.registry import DATASETS


@DATASETS.register_module()
class CellDataset(FolderSegDataset):
    METAINFO = dict(classes=('back', 'cell'), palette=[[0, 0, 0], [255, 0, 0]])
"""

STUDY = """
_base_ = './_base_/camvid.py'
study = dict(
    title='Does width pay?',
    about='SA-ConvMixer of two widths.',
    metric='mIoU',
    metric_name='mIoU',
    unit='%',
    higher_is_better=True,
    size=(360, 480),
    seeds=(0,),
    networks={
        f'd{width}': dict(
            label=f'width {width}',
            model=dict(
                backbone=dict(arch=f'd{width}-l2-k3-p5'), decode_head=dict(in_channels=width)
            ),
        )
        for width in (8, 16)
    },
)
"""


@pytest.fixture
def copy(tmp_path):
    """The project as a clone would have it."""
    for name in ('sacm_mm', 'configs', 'tests', 'tools', 'pyproject.toml', 'README.md', 'docs'):
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns('__pycache__', '.mim')
            shutil.copytree(source, tmp_path / name, ignore=ignore)
        else:
            shutil.copy2(source, tmp_path / name)
    return tmp_path


def run(copy, *command):
    environment = {**os.environ, 'PYTHONPATH': str(copy)}
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f'{done.stdout[-3000:]}{done.stderr[-2000:]}'
    return done.stdout


@pytest.mark.slow
def test_a_backbone_is_one_file(copy):
    (copy / 'sacm_mm/models/backbones/stair_net.py').write_text(BACKBONE)
    tested = run(copy, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests/test_backbones.py',
                 '-k', 'StairNet')  # fmt: skip
    assert tested.count('.') > 10
    swap = 'import sacm_mm.swap as s; print(s.find_backbone("stairnet-m"))'
    assert "'arch': 'm'" in run(copy, '-c', swap)


@pytest.mark.slow
def test_a_loss_and_a_metric_are_one_file_each(copy):
    (copy / 'sacm_mm/models/twice.py').write_text(LOSS)
    (copy / 'sacm_mm/evaluation/counting.py').write_text(METRIC)
    code = (
        'from mmengine.registry import METRICS, MODELS; import sacm_mm.registry; '
        'MODELS.build(dict(type="sacm_mm.TwiceLoss")); '
        'METRICS.build(dict(type="sacm_mm.CountMetric")); print("built")'
    )
    assert run(copy, '-c', code).endswith('built\n')


@pytest.mark.slow
def test_a_data_set_is_two_files(copy):
    (copy / 'sacm_mm/datasets/cells.py').write_text(DATA_SET)
    base = (copy / 'configs/_base_/datasets/camvid.py').read_text()
    base = base.replace('CamVidDataset', 'CellDataset').replace('/camvid', '/cells')
    (copy / 'configs/_base_/datasets/cells.py').write_text(base)
    WRITERS['camvid'](copy / 'data', sizes=SMALL)
    (copy / 'data/camvid').rename(copy / 'data/cells')
    for mask in (copy / 'data/cells').glob('*annot/*'):
        cv2.imwrite(str(mask), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) % 2)
    code = (
        'import sacm_mm; from sacm_mm.core.configs import read_config; '
        'from mmengine.registry import DATASETS, init_default_scope; init_default_scope("mmseg"); '
        'cfg = read_config("configs/_base_/datasets/cells.py"); '
        'data = DATASETS.build(cfg.train_dataloader.dataset); '
        'print(len(data), data.metainfo["classes"], data[0]["inputs"].shape)'
    )
    assert "('back', 'cell') torch.Size([3, 320, 320])" in run(copy, '-c', code)


@pytest.mark.slow
def test_a_study_is_one_file(copy):
    (copy / 'configs/studies/widths.py').write_text(STUDY)
    WRITERS['camvid'](copy / 'data', sizes=SMALL)
    for verb in (['run', 'widths', '--seeds', '0'], ['report', 'widths']):
        run(copy, '-m', 'sacm_mm', 'study', *verb, '--budget', 'tiny')
    assert 'width 16' in next(copy.rglob('widths*/**/table.md')).read_text()
