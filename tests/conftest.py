"""Shared fixtures: the tools as functions, tiny data sets in the real layouts, tiny models."""

import gc
import json
import multiprocessing
import runpy
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from mmengine.utils import ManagerMixin
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from yapf.yapflib import yapf_api

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
# not part of what is installed
sys.path += [str(TOOLS), str(TOOLS / 'maintenance')]
from sample_data.layouts import WRITERS, Sizes  # noqa: E402

SMALL = Sizes(train=4, val=4, size=(48, 64))
CAMVID = 'sacm_camvid_light.py'
LOADERS = [
    option
    for split in ('train', 'val', 'test')
    for option in (
        f'{split}_dataloader.num_workers=0',
        f'{split}_dataloader.persistent_workers=False',
        f'{split}_dataloader.dataset.serialize_data=False',  # it collects garbage, for a second
    )
]
TINY_CAMVID = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    'train_dataloader.batch_size=2',
    'scale=(64,48)',
    'crop_size=(32,32)',
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=4',
    'default_hooks.checkpoint.interval=4',
    'default_hooks.logger.interval=1',
    *LOADERS,
]
TINY_CIFAR = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.head.in_channels=16',
    'train_dataloader.batch_size=8',
    'train_cfg.max_epochs=1',
    *LOADERS,
]


def read_depth(path):
    """Read a 16-bit PNG as metres (H, W), by the scale that is said beside it or above."""
    said = next(file for f in path.parents if (file := f / 'depth.json').is_file())
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / json.loads(said.read_text())['scale']


gc.disable()  # while the hosts are imported


def pytest_collection_finish():
    """Let no collection of garbage walk through what is imported, which takes half a second."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure():
    """Or modules complain of leaks when Python ends."""
    gc.unfreeze()


@dataclass
class Done:
    """How a tool ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line with which a tool refuses."""
        assert self.code == 2, self.err
        # OpenCV's and FFmpeg's decoders have their own say about a broken file
        (line,) = (line for line in self.err.splitlines() if not line.startswith('['))
        assert line.startswith('error: ')
        return line


def call_tool(name: str, *arguments: object) -> int:
    """Run a tool of ``tools/`` in this process, as the command line would; return its exit code."""
    path = TOOLS / f'{name}.py'
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        # The looks of a config's dump take half the time of a tiny run.
        patch.setattr(yapf_api, 'FormatCode', lambda text, **_: (text, True))
        try:
            runpy.run_path(str(path), run_name='__main__')
        finally:
            forget_runs()
    return ended.value.code


def forget_runs() -> None:
    """Drop what a run leaves in the process.

    mmengine keeps loggers and visualizers by name: a second run would log to the first's files. And
    workers of a data loader that failed are stopped by the garbage collector, after a time-out.
    """
    if multiprocessing.active_children():
        for thing in gc.get_objects():
            if type(thing) is _MultiProcessingDataLoaderIter:
                thing._shutdown_workers()
    managers = list(ManagerMixin.__subclasses__())
    for manager in managers:
        managers += manager.__subclasses__()
        for instance in manager._instance_dict.values():
            for handler in getattr(instance, 'handlers', ()):
                handler.close()
        manager._instance_dict.clear()


@pytest.fixture
def run_tool(capfd):
    """Run a tool of ``tools/`` and return how it ended."""

    def run(name: str, *arguments: object) -> Done:
        capfd.readouterr()
        return Done(call_tool(name, *arguments), *capfd.readouterr())

    return run


def sample_sets(*names: str, sizes: Sizes = SMALL):
    """Make a fixture: a folder with sample sets of 4 pictures a split; not to be changed."""

    @pytest.fixture(scope='session')
    def root(tmp_path_factory):
        folder = tmp_path_factory.mktemp('data')
        for name in names:
            WRITERS[name](folder, sizes=sizes)
        return folder

    return root


camvid_root = sample_sets('camvid')
voc_root = sample_sets('voc')
cifar_root = sample_sets('cifar10', sizes=Sizes(train=16, val=8, size=(32, 32)))
imagenet_root = sample_sets('imagenet')
ade_root = sample_sets('ade20k')
depth_root = sample_sets('nyu', 'kitti', 'cityscapes')


@pytest.fixture
def data(camvid_root, tmp_path, monkeypatch):
    """A copy of the CamVid set that a test may spoil, and that the configs find."""
    root = tmp_path / 'data'
    shutil.copytree(camvid_root, root)
    monkeypatch.setenv('SACM_DATA', str(root))
    return root / 'camvid'


@pytest.fixture
def work(tmp_path):
    return tmp_path / 'work'


@pytest.fixture
def train(run_tool, work):
    """Train the tiny model with further options."""

    def run(*arguments, options=(), config=CAMVID):
        return run_tool(
            'train', config, '--work-dir', work, *arguments, '--cfg-options', *TINY_CAMVID, *options
        )

    return run


@pytest.fixture(scope='session')
def trained(camvid_root, tmp_path_factory):
    """The work dir of four iterations of training; not to be changed."""
    work_dir = tmp_path_factory.mktemp('trained') / 'work'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SACM_DATA', str(camvid_root))
        assert (
            call_tool('train', CAMVID, '--work-dir', work_dir, '--cfg-options', *TINY_CAMVID) == 0
        )
    return work_dir


@pytest.fixture
def test(run_tool, work, trained):
    """Test the trained model with further options."""

    def run(*arguments, options=(), checkpoint=trained, config=CAMVID):
        return run_tool('test', config, checkpoint, '--work-dir', work, *arguments,
                        '--cfg-options', *TINY_CAMVID, *options)  # fmt: skip

    return run
