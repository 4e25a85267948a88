"""Training and testing from Python: plain arguments, parts built once."""

import re
import shutil

import pytest
import torch
from conftest import CAMVID, TINY_CAMVID, forget_runs
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed
from mmseg.datasets import BaseSegDataset
from mmseg.models import EncoderDecoder

from sacm_mm.apis.checks import check_parts
from sacm_mm.apis.runner import build_runner
from sacm_mm.apis.test import test as run_test
from sacm_mm.apis.train import prepare_train, train
from sacm_mm.core.configs import host_config, load_config
from sacm_mm.core.errors import UserError


@pytest.fixture(autouse=True)
def _forget():
    yield
    forget_runs()


def first_losses(runner, steps=2):
    """Train with the runner's own loop; returns the losses and the weights at the end."""
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._init_model_weights()
    batches = iter(runner.train_loop.dataloader)
    losses = [
        float(runner.model.train_step(next(batches), runner.optim_wrapper)['loss'])
        for _ in range(steps)
    ]
    return losses, {name: tensor.clone() for name, tensor in runner.model.state_dict().items()}


def test_a_runner_with_built_parts_trains_as_the_hosts_own(data, work):
    cfg = prepare_train(load_config(CAMVID, TINY_CAMVID), work)
    torch.rand(7)  # what happened before does not matter
    found, weights = first_losses(build_runner(cfg, ('train_dataloader', 'val_dataloader')))
    forget_runs()
    wanted, expected = first_losses(Runner.from_cfg(cfg))
    assert found == wanted
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_an_unknown_launcher_is_named(work):
    with pytest.raises(UserError, match=r"'launcher' is 'torchrun': there is .*'pytorch'"):
        prepare_train(load_config(CAMVID, TINY_CAMVID), work, launcher='torchrun')
    with pytest.raises(UserError, match="'launcher' of the config is 'torchrun': there is"):
        prepare_train(load_config(CAMVID, [*TINY_CAMVID, 'launcher=torchrun']), work)


def test_the_seed_that_is_named_in_the_log_gives_the_same_run(data, work):
    cfg = load_config(CAMVID, TINY_CAMVID)
    cfg.randomness = {'seed': None}
    found = losses_of(cfg, work)
    log = next(work.glob('*/*.log')).read_text()
    seed = int(re.search(r'seed: (\d+)', log)[1])
    forget_runs()
    cfg = load_config(CAMVID, TINY_CAMVID)
    cfg.randomness = {'seed': seed}
    assert losses_of(cfg, work) == found


def losses_of(cfg, work):
    torch.rand(7)  # what happened before does not matter
    runner = build_runner(prepare_train(cfg, work), ('train_dataloader', 'val_dataloader'))
    return first_losses(runner)[0]


def test_model_and_data_sets_are_built_once(data, work, monkeypatch):
    built = []
    for kind in (EncoderDecoder, BaseSegDataset):
        plain = kind.__init__

        def counting(self, *args, _plain=plain, _name=kind.__name__, **kwargs):
            built.append(_name)
            _plain(self, *args, **kwargs)

        monkeypatch.setattr(kind, '__init__', counting)
    runner = train(CAMVID, work_dir=work, options=TINY_CAMVID)
    assert sorted(built) == ['BaseSegDataset', 'BaseSegDataset', 'EncoderDecoder']
    assert runner.iter == 4
    assert (work / 'iter_4.pth').is_file()


def test_testing_returns_the_figures(data, trained, work):
    set_random_seed(0)
    figures = run_test(CAMVID, trained, work_dir=work, options=TINY_CAMVID)
    assert 0 <= figures['mIoU'] <= 100


def test_a_work_dir_is_tested_by_its_name(data, trained, tmp_path):
    work = tmp_path / 'work'
    shutil.copytree(trained, work)
    before = (work / CAMVID).read_text()
    options = [f'test_dataloader.dataset.data_root={data}']
    figures = run_test(work, tta=True, options=options)
    assert 0 <= figures['mIoU'] <= 100
    assert (work / CAMVID).read_text() == before  # the training's, not that of the TTA model
    assert len(list((work / 'test').glob('*/*.log'))) == 1
    assert len(list((work / 'test').glob(f'*/{CAMVID}'))) == 1


@pytest.mark.parametrize('loaded', [True, False])
def test_a_preprocessor_beside_the_model_is_used(imagenet_root, work, loaded):
    name = 'mmpretrain:resnet/resnet18_8xb32_in1k.py'
    cfg = load_config(name) if loaded else Config.fromfile(host_config(name))
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.data_root = str(imagenet_root / 'imagenet')
    runner = build_runner(prepare_train(cfg, work), ('train_dataloader', 'val_dataloader'))
    assert runner.model.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [123.675, 116.28, 103.53]
    )
    assert 'data_preprocessor' not in cfg  # in one place: the other would be changed in vain


def test_overlaps_may_be_named_in_a_tuple():
    check_parts(
        Config({'val_evaluator': {'type': 'mmseg.IoUMetric', 'iou_metrics': ('mIoU',)}}), None
    )
