"""What a run leaves when it diverges, is asked to stop, or its disk is full."""

import errno
import logging
import os
import signal
import threading

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from sacm_mm import UserError
from sacm_mm.apis.starting import starting
from sacm_mm.core.checkpoints import load_checkpoint
from sacm_mm.core.files import atomic_write, write_bytes
from sacm_mm.models.losses import SiLogLoss


@HOOKS.register_module()
class SpoilStepHook(Hook):
    """At a step, make the network's weights or nothing but the signal of a scheduler's kill."""

    priority = 'HIGHEST'

    def __init__(self, step, what):
        self.step, self.what = step, what

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter != self.step:
            return
        if self.what == 'weights':
            with torch.no_grad():
                runner.model.decode_head.conv_seg.bias[0] = float('nan')
        else:
            os.kill(os.getpid(), getattr(signal, self.what))


def spoiled(step, what):
    return [
        "custom_hooks.0.type='SpoilStepHook'",
        f'custom_hooks.0.step={step}',
        f'custom_hooks.0.what={what}',
        'default_hooks.checkpoint.interval=1',
    ]


def test_our_checkpoints_need_no_code_to_be_read(trained):
    checkpoint = torch.load(trained / 'iter_4.pth')  # PyTorch's default refuses pickled objects
    assert checkpoint['meta']['iter'] == 4
    assert len(checkpoint['message_hub']['log_scalars']['train/loss']['learning curve'][0]) == 4


def test_a_machine_without_shared_memory_is_said(train, work, data, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr('_multiprocessing.SemLock', refuse)
    workers = ['train_dataloader.num_workers=1']
    assert 'no shared memory, /dev/shm (Permission denied)' in train(options=workers).error
    assert not work.exists()


def test_a_run_that_diverges_stops_and_keeps_the_last_good_checkpoint(train, work, data):
    done = train(options=spoiled(2, 'weights'))
    assert 'diverged at step 3' in done.error
    assert 'after the last norm layer' in done.error and "iter_2.pth'" in done.error
    kept = sorted(p.name for p in work.glob('*.pth'))
    assert kept == ['iter_1.pth', 'iter_2.pth']
    weights = load_checkpoint(work / 'iter_2.pth')['state_dict']
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize(('name', 'code'), [('SIGTERM', 143), ('SIGINT', 130)])
def test_a_run_that_is_asked_to_stop_saves_and_says_where(train, work, data, name, code):
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    options = [*spoiled(1, name), 'default_hooks.checkpoint.interval=100']
    done = train(options=options)
    assert done.code == code
    assert (work / 'iter_2.pth').is_file()
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
    assert train('--resume').code == 0
    assert (work / 'iter_4.pth').is_file()


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_prediction_that_is_not_finite_is_no_perfect_one(value):
    pred = torch.full((2, 1, 4, 4), 2.0)
    pred[0, 0, 1, 1] = value
    assert not SiLogLoss()(pred, torch.ones(2, 1, 4, 4)).isfinite()


def test_a_disk_that_fills_up_in_a_test_leaves_no_half_file(tmp_path):
    (tmp_path / 'whole.json').write_text('{}')
    (tmp_path / 'torn.json').write_text('{"mIoU": 1')
    with (
        pytest.raises(UserError, match="cannot write to 'work': No space left"),
        starting(Config({'work_dir': 'work'})) as run,
    ):
        run.wrote(tmp_path)
        run.called('after_test_iter')
        assert not logging.raiseExceptions  # the log is on that disk, too
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert [path.name for path in tmp_path.iterdir()] == ['whole.json']
    assert logging.raiseExceptions


def test_pytorch_does_not_say_that_a_disk_is_full(tmp_path, monkeypatch):
    def full(self, content):
        raise RuntimeError('[enforce fail at inline_container.cc:671] . unexpected pos 8 vs 4')

    monkeypatch.setattr(type(tmp_path), 'write_bytes', full)
    with pytest.raises(UserError, match='cannot write'):
        write_bytes(b'', tmp_path / 'weights.pth')


def test_the_file_that_does_not_fit_is_named(tmp_path):
    with (
        pytest.raises(UserError, match=r"cannot write '.*masks\.png': No space left"),
        starting(Config({'work_dir': 'work'})) as run,
    ):
        run.called('after_test_iter')
        with atomic_write(tmp_path / 'masks.png'):
            raise OSError(errno.ENOSPC, 'No space left on device')
