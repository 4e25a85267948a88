"""The schedule is as long as the loop and as high as the optimizer's learning rate."""

import copy
import io
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OneCycleLR as HostOneCycleLR
from mmengine.runner import Runner

from sacm_mm.engine.one_cycle import OneCycleLR

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def optimizer(*rates):
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=rate) for rate in rates]
    return torch.optim.AdamW(groups)


def curve(schedule, steps):
    rates = []
    for _ in range(steps):
        rates.append([group['lr'] for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize('steps', [1, 2, 3, 5, 40, 700])
def test_it_is_the_hosts_schedule(steps):
    form = dict(pct_start=0.25, by_epoch=False, end=steps)
    ours = OneCycleLR(optimizer(2e-3, 2e-2), **form)
    hosts = HostOneCycleLR(optimizer(1.0, 1.0), eta_max=[2e-3, 2e-2], total_steps=steps, **form)
    assert curve(ours, steps) == curve(hosts, steps)


def test_a_rise_of_one_step_is_no_division_by_zero():
    rates = curve(OneCycleLR(optimizer(1.0), pct_start=0.25, by_epoch=False, end=4), 4)
    assert rates[0] == [1.0] and rates == sorted(rates, reverse=True)
    assert rates[-1][0] == pytest.approx(1 / 25 / 1e4)


@pytest.mark.parametrize(
    ('config', 'key', 'steps'),
    [('sacm_camvid', 'max_iters', 7), ('sacm_cifar10', 'max_epochs', 21)],
)
def test_the_loops_length_alone_sets_the_schedules(config, key, steps, tmp_path):
    cfg = Config.fromfile(CONFIGS / f'{config}.py')
    cfg.train_cfg[key] = 7
    three = torch.utils.data.DataLoader([{'x': torch.zeros(1)}] * 6, batch_size=2)
    runner = Runner(
        torch.nn.Linear(1, 1), str(tmp_path), train_dataloader=three, train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper, default_scope=cfg.default_scope,
        experiment_name=tmp_path.name,
    )  # fmt: skip
    runner._train_loop = runner.build_train_loop(cfg.train_cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    (schedule,) = runner.build_param_scheduler(cfg.param_scheduler)
    assert schedule.total_steps == steps
    assert set(schedule.eta_max) == {cfg.optim_wrapper.optimizer.lr}


@pytest.mark.parametrize('done', [10, 20])
def test_a_longer_run_goes_on_at_its_step_of_the_longer_schedule(done):
    form = dict(pct_start=0.25, by_epoch=False)
    short = OneCycleLR(optimizer(1.0), end=20, **form)
    curve(short, done)
    longer = OneCycleLR(optimizer(1.0), end=40, **form)
    longer.load_state_dict(short.state_dict())
    whole = curve(OneCycleLR(optimizer(1.0), end=40, **form), 40)
    assert curve(longer, 40 - done) == whole[done:]


def test_its_state_needs_no_unpickling_of_code():
    schedule = OneCycleLR(optimizer(1.0), end=40, by_epoch=False)
    curve(schedule, 10)
    file = io.BytesIO()
    torch.save(schedule.state_dict(), file)
    file.seek(0)
    other = OneCycleLR(optimizer(1.0), end=40, by_epoch=False)
    other.load_state_dict(torch.load(file, weights_only=True))
    other.optimizer.load_state_dict(copy.deepcopy(schedule.optimizer.state_dict()))
    assert curve(other, 30) == curve(schedule, 30)
