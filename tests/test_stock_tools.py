"""The configs run, unedited, through the tools that mmsegmentation and mmpretrain install.

As real processes, from a folder outside the project and without PYTHONPATH.
"""

import json
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sacm_mm.core.launchers import LAUNCHERS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TINY = [
    'model.backbone.arch=d16-l2-k3-p4',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
]
TINY_SEG = [
    *TINY,
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=4',
    'default_hooks.logger.interval=1',
]


def run(*command, cwd, data, jobs=()):
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    env.update(SACM_DATA=str(data), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, env=env, input=json.dumps(jobs),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def stock(host, name):
    return Path(find_spec(host).submodule_search_locations[0]) / '.mim/tools' / name


@pytest.mark.parametrize('name', [pytest.param('sacm_voc', marks=pytest.mark.slow), 'sacm_camvid'])
def test_mmsegmentation_trains_and_tests(name, voc_root, camvid_root, tmp_path):
    options = ('--work-dir', 'run', '--cfg-options', *TINY_SEG)
    config = str(CONFIGS / f'{name}.py')
    jobs = [
        dict(tool=str(stock('mmseg', tool)), arguments=[config, *arguments, *options],
             cwd=str(tmp_path), log=str(tmp_path / f'{tool}.log'))
        for tool, arguments in (('train.py', []), ('test.py', ['run/iter_4.pth', '--tta']))
    ]  # fmt: skip
    data = voc_root if 'voc' in name else camvid_root
    out = run(Path(__file__).with_name('stock_runs.py'), cwd=tmp_path, data=data, jobs=jobs)
    logs = {path.name: path.read_text() for path in tmp_path.glob('*.log')}
    assert '[0, 0]' in out, logs
    assert (tmp_path / 'run/iter_4.pth').is_file()
    assert 'mIoU' in logs['test.py.log']


@pytest.mark.slow
def test_mmpretrain_trains(cifar_root, tmp_path):
    run(
        stock('mmpretrain', 'train.py'),
        CONFIGS / 'sacm_cifar10.py',
        *('--work-dir', 'run', '--cfg-options', *TINY),
        *('model.head.in_channels=16', 'train_cfg.max_epochs=1'),
        cwd=tmp_path,
        data=cifar_root,
    )
    assert (tmp_path / 'run/epoch_1.pth').is_file()


@pytest.mark.slow
@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_two_processes_train_together(launcher, camvid_root, tmp_path):
    """Slurm and MPI name the processes by variables of their own."""
    torch_names = LAUNCHERS['pytorch']
    renamed = [f'{name}="${given}"' for name, given in zip(LAUNCHERS[launcher], torch_names)]
    hidden = [f'-u {name}' for name in torch_names if launcher != 'pytorch']
    train = [
        *(sys.executable, str(CONFIGS.parent / 'tools/train.py'), str(CONFIGS / 'sacm_camvid.py')),
        *('--launcher', launcher, '--work-dir', 'run', '--cfg-options', *TINY_SEG),
    ]
    out = run(
        *('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', '--no-python'),
        *('sh', '-c', f'exec env {" ".join([*hidden, *renamed])} {shlex.join(train)}'),
        cwd=tmp_path,
        data=camvid_root,
    )
    assert 'Iter(val) [2/2]' in out  # 4 images, 2 a process
    assert (tmp_path / 'run/iter_4.pth').is_file()
