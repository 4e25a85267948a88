"""What ``sacm train`` refuses before the work dir exists, and what its flags do."""

import re
import shutil

import pytest
import torch
from conftest import CAMVID, TINY_CAMVID
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope

from sacm_mm import UserError
from sacm_mm.apis import fast, time_budget
from sacm_mm.apis.check_keys import (
    check_loggers,
    check_numbers,
    check_read_keys,
    check_schedule,
    tidy_loaders,
)
from sacm_mm.apis.checks import check_types
from sacm_mm.apis.fast import use_amp, use_fast
from sacm_mm.apis.fine_tuning import weights_to_start_from
from sacm_mm.apis.train import train as train_from_python
from sacm_mm.core.configs import config_folder, find_config, load_config, read_config
from sacm_mm.core.files import lock_folder
from sacm_mm.core.schedules import scale_times
from sacm_mm.engine import optim_wrapper
from sacm_mm.engine.optim_wrapper import BFloat16OptimWrapper
from sacm_mm.models.batch_norms import constant_channels


@pytest.fixture
def cfg():
    cfg = load_config(CAMVID, TINY_CAMVID)
    init_default_scope(cfg.default_scope)
    return cfg


@pytest.mark.parametrize(
    ('changes', 'culprit'),
    [
        ({'train_cfg.max_iter': 4}, "'train_cfg' of the config has no 'max_iter': .*'max_iters'"),
        ({'param_scheduler.pct_strt': 0.2}, "no 'pct_strt': did you mean 'pct_start'"),
        ({'optim_wrapper.optimizer.momentun': 0.9}, "'optim_wrapper.optimizer' .* no 'momentun'"),
        ({'optim_wrapper.clip_grads': {}}, "'optim_wrapper' of .* did you mean 'clip_grad'"),
        ({'default_hooks.checkpoint.intervall': 4}, "'default_hooks.checkpoint' .* 'interval'"),
        ({'val_cfg.fp61': True}, "'val_cfg' of the config has no 'fp61'"),
        ({'visualizer.vis_backends': [{'type': 'TensorBoard'}]}, "unknown type 'TensorBoard'"),
        ({'val_evaluator.iou_metric': ['mIoU']}, "'val_evaluator' .* 'iou_metrics'"),
    ],
)
def test_mistyped_keys_are_named(cfg, changes, culprit):
    cfg.merge_from_dict(changes)
    with pytest.raises(UserError, match=culprit):
        check_types(cfg)


@pytest.mark.parametrize(
    ('key', 'culprit'),
    [
        ('model.test_cfg.mdoe', "'model.test_cfg' of the config has no 'mdoe': .* 'mode'"),
        ('auto_scale_lr.enabled', "'auto_scale_lr' .* 'enable'"),
        ('env_cfg.cudnn_benchmarks', "'env_cfg' .* 'cudnn_benchmark'"),
        ('optim_wrapper.paramwise_cfg.norm_decay_multi', "'norm_decay_mult'"),
        (
            'optim_wrapper.paramwise_cfg.custom_keys.head.lr_mul',
            "'optim_wrapper.paramwise_cfg.custom_keys.head' of the config has no 'lr_mul'",
        ),
    ],
)
def test_mistyped_keys_that_the_hosts_pass_over_are_named(cfg, key, culprit):
    check_read_keys(cfg)
    cfg.merge_from_dict({key: 1})
    with pytest.raises(UserError, match=culprit):
        check_read_keys(cfg)


@pytest.mark.parametrize(
    ('changes', 'culprit'),
    [
        ({'optim_wrapper.optimizer.lr': float('inf')}, "'optim_wrapper.optimizer.lr' .* is inf"),
        ({'optim_wrapper.optimizer.lr': -1e-3}, 'must be 0 or more'),
        ({'param_scheduler.eta_max': float('nan')}, "'param_scheduler.eta_max' .* is nan"),
        ({'model.data_preprocessor.std': [58, 0, 57]}, "'model.data_preprocessor.std.1' .* is 0"),
        ({'model.decode_head.loss_decode.loss_weight': float('nan')}, 'loss_weight'),
        ({'model.decode_head.dropout_ratio': 1.5}, 'from 0 to below 1'),
        ({'train_dataloader.batch_size': 0}, 'more than 0'),
        ({'train_dataloader.num_workers': -2}, '0 or more'),
        ({'train_cfg.max_iters': 0}, 'more than 0'),
    ],
)
def test_nonsense_numbers_are_named(cfg, changes, culprit):
    cfg.merge_from_dict(changes)
    with pytest.raises(UserError, match=culprit):
        check_numbers(cfg)


def test_shipped_configs_pass():
    names = sorted(set(config_folder().glob('*.py')) - set(config_folder().glob('*_coco.py')))
    assert len(names) > 20
    for name in names[::4]:
        cfg = read_config(name)
        init_default_scope(cfg.get('default_scope'))
        for check in (check_types, check_read_keys, check_numbers, check_schedule, check_loggers):
            check(cfg)


@pytest.mark.parametrize('steps', [6, 40])
def test_a_schedule_of_another_length_than_the_loop(cfg, steps):
    # a shorter one dies at its end, a longer one ends at its peak
    schedule = dict(type='OneCycleLR', eta_max=1e-3, total_steps=steps, by_epoch=False)
    cfg.param_scheduler = ConfigDict(schedule)
    cfg.train_cfg.max_iters = 12
    with pytest.raises(UserError, match=rf'total_steps is {steps}, but train_cfg.max_iters is 12'):
        check_schedule(cfg)
    cfg.train_cfg.max_iters = steps
    check_schedule(cfg)


@pytest.mark.parametrize(
    ('schedule', 'said'),
    [
        (dict(type='PolyLR', end=80), 'PolyLR of param_scheduler goes on until 80, but .* is 12'),
        (dict(type='CosineAnnealingLR', begin=2, T_max=11), 'until 13'),
        (dict(type='CosineAnnealingLR', begin=2, T_max=10), ''),
        (dict(type='LinearLR', end=4), ''),
        (dict(type='PolyLR'), ''),  # as long as the loop
    ],
)
def test_a_schedule_that_outlasts_the_loop_is_told(cfg, schedule, said, capsys):
    cfg.train_cfg.max_iters = 12
    cfg.param_scheduler = [ConfigDict(by_epoch=False, **schedule)]
    check_schedule(cfg)
    told = capsys.readouterr().out
    assert bool(told) == bool(said) and re.search(said, told)


def test_a_hook_that_never_acts_is_told(capsys):
    cfg = load_config('sacm_cifar10_progressive.py')
    check_schedule(cfg)
    assert not capsys.readouterr().out
    cfg.train_cfg.max_epochs = 6
    check_schedule(cfg)
    says = 'SwitchRecipeHook of custom_hooks has action_epoch 7, but train_cfg.max_epochs is 6'
    assert says in capsys.readouterr().out


def test_a_logger_that_is_not_installed(cfg, monkeypatch):
    cfg.visualizer.vis_backends = [dict(type='NeptuneVisBackend')]
    with pytest.raises(UserError, match='pip install neptune'):
        check_loggers(cfg)


def test_no_workers_and_persistent_workers(cfg):
    cfg.train_dataloader.num_workers, cfg.train_dataloader.persistent_workers = 0, True
    tidy_loaders(cfg)
    assert 'persistent_workers' not in cfg.train_dataloader
    assert cfg.train_dataloader.num_workers == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU keeps the host wrapper')
def test_amp_says_what_it_does_to_a_config_in_bfloat16(cfg, monkeypatch):
    # it said float32, and went on in emulated bfloat16
    monkeypatch.setattr(fast, 'cpu_has_bfloat16', lambda: False)
    cfg.optim_wrapper.type = 'sacm_mm.BFloat16OptimWrapper'
    assert 'float32' in use_amp(cfg)
    assert cfg.optim_wrapper.type == 'OptimWrapper'


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU keeps the host wrapper')
@pytest.mark.parametrize('flag', [use_amp, use_fast])
@pytest.mark.parametrize(
    ('has_bfloat16', 'expected'), [(True, 'sacm_mm.BFloat16OptimWrapper'), (False, 'OptimWrapper')]
)
def test_amp_on_a_config_that_has_it(cfg, flag, has_bfloat16, expected, monkeypatch):
    # whose loss_scale is the host wrapper's alone; and the CPU would emulate float16 for hours
    monkeypatch.setattr(fast, 'cpu_has_bfloat16', lambda: has_bfloat16)
    cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16')
    picked = flag(cfg)
    assert cfg.optim_wrapper.type == expected
    assert not {'loss_scale', 'dtype'} & set(cfg.optim_wrapper)
    assert ('the processor has no bfloat16' in str(picked)) is not has_bfloat16


@pytest.mark.parametrize('has_bfloat16', [True, False])
def test_bfloat16_is_not_emulated(has_bfloat16, monkeypatch):
    monkeypatch.setattr(optim_wrapper, 'cpu_has_bfloat16', lambda: has_bfloat16)
    model = torch.nn.Linear(2, 2)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        out = model(torch.ones(1, 2))
    assert out.dtype == (torch.bfloat16 if has_bfloat16 else torch.float32)
    assert wrapper._said is not has_bfloat16


def test_amp_on_several_optimizers_and_on_foreign_wrappers(cfg, monkeypatch):
    plain = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
    cfg.optim_wrapper = ConfigDict(constructor='Multi', a=plain, b=dict(plain))
    monkeypatch.setattr(fast, 'cpu_has_bfloat16', lambda: True)
    use_amp(cfg)
    assert cfg.optim_wrapper.a.type == cfg.optim_wrapper.b.type != 'OptimWrapper'
    cfg.optim_wrapper = ConfigDict(plain, type='ApexOptimWrapper')
    with pytest.raises(UserError, match=r'is a ApexOptimWrapper, .* leave out --amp'):
        use_amp(cfg)


def test_weights_of_other_classes_and_channels():
    changes = ['model.decode_head.num_classes=3', 'model.backbone.in_channels=1',
               'model.data_preprocessor.mean=[120]', 'model.data_preprocessor.std=[60]',
               'model.data_preprocessor.bgr_to_rgb=False',
               'model.decode_head.loss_decode.class_weight=None']  # fmt: skip
    cfg = load_config(CAMVID, changes)
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    kept, said = weights_to_start_from(model, 'camvid_light')
    assert 'left out on purpose: decode_head' in said
    assert 'adapted to the channels: backbone.' in said
    assert not any(name.startswith('decode_head.conv_seg') for name in kept)
    missing, _ = model.load_state_dict(kept, strict=False)
    assert all(name.startswith('decode_head.') for name in missing)
    # a grey picture of three equal channels and its one channel give the same features
    three = MODELS.build(read_config(find_config(CAMVID)).model)
    three.load_state_dict(weights_to_start_from(three, 'camvid_light')[0])
    grey = torch.rand(1, 1, 20, 20)
    with torch.no_grad():
        one = model.eval().backbone(grey)[-1]
        same = three.eval().backbone(grey.expand(-1, 3, -1, -1))[-1]
    assert torch.allclose(one, same, atol=1e-3)
    other = MODELS.build(load_config(CAMVID, TINY_CAMVID).model)
    theirs = r'of another backbone .* theirs: --cfg-options model.backbone.arch=d256-l8-k5-p5 .*=5$'
    with pytest.raises(UserError, match=theirs):
        weights_to_start_from(other, 'camvid_light')


@pytest.mark.parametrize('beside', [True, False])
def test_weights_of_larger_patches_are_not_taken_for_more_channels(tmp_path, beside):
    """Of the same width and depth, every weight fitted but the first, which was made up."""
    sizes = ['model.decode_head.in_channels=16', 'model.decode_head.upscale_factor']
    cfg = load_config(CAMVID, ['model.backbone.arch=d16-l2-k3-p8', sizes[0], f'{sizes[1]}=8'])
    init_default_scope('mmseg')
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, tmp_path / 'last.pth')
    if beside:
        cfg.dump(tmp_path / 'theirs.py')
    smaller = load_config(CAMVID, ['model.backbone.arch=d16-l2-k3-p4', sizes[0], f'{sizes[1]}=4'])
    name = tmp_path if beside else tmp_path / 'last.pth'
    with pytest.raises(UserError, match=r'another backbone .* backbone.stem.proj.weight does not'):
        weights_to_start_from(MODELS.build(smaller.model), str(name))


def test_a_cascade_is_not_asked_for_the_settings_of_its_head(tmp_path):
    cfg = load_config(CAMVID, ['model.backbone.arch=d16-l2-k3-p8'])
    head = dict(cfg.model.decode_head, in_channels=16, upscale_factor=8)
    cfg.model.decode_head = [head, head]
    cfg.model.update(type='CascadeEncoderDecoder', num_stages=2)
    (tmp_path / 'theirs.py').write_text(cfg.pretty_text)
    torch.save({'state_dict': {'backbone.x': torch.ones(1)}}, tmp_path / 'last.pth')
    init_default_scope('mmseg')
    model = MODELS.build(load_config(CAMVID, TINY_CAMVID).model)
    with pytest.raises(UserError, match=r'theirs: --cfg-options model.backbone.arch=d16-l2-k3-p8$'):
        weights_to_start_from(model, str(tmp_path))


def test_schedules_follow_a_time_budget():
    cfg = ConfigDict(
        param_scheduler=[
            dict(begin=0, end=100),
            dict(begin=100, T_max=900, end=1000),
            dict(milestones=[400, 800]),
        ],
        custom_hooks=[dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=700)])],
    )
    scale_times(cfg, 1000, 100)
    assert cfg.custom_hooks[0].schedule[0].action_epoch == 70
    *cosine, steps = cfg.param_scheduler
    assert cosine == [dict(begin=0, end=10), dict(begin=10, T_max=90, end=100)]
    assert steps == dict(milestones=[40, 80])
    scale_times(cfg, 100, 1)
    assert str(cfg.param_scheduler[0]) == "{'begin': 0, 'end': 1}"  # numbers, no False and True


def test_a_time_budget_times_what_will_train(train, work, data, monkeypatch):
    put_in = []
    monkeypatch.setattr(time_budget, 'accelerate', lambda model, **how: put_in.append(how))
    assert train('--minutes', '0.02', '--fast').code == 0
    assert put_in == [dict(training=True)]
    assert train('--minutes', '0.02', '--overwrite').code == 0
    assert len(put_in) == 1


@pytest.mark.parametrize(
    ('launcher', 'what'),
    [
        ('pytorch', 'RANK is not set: start the processes with torchrun'),
        ('slurm', 'SLURM_PROCID is not set: start the processes with srun'),
        ('mpi', 'OMPI_COMM_WORLD_RANK is not set: start the processes with mpirun'),
    ],
)
def test_a_launcher_that_started_nothing_is_said(train, data, launcher, what):
    assert f'--launcher {launcher}, but {what}' in train('--launcher', launcher).error


def test_a_run_that_goes_on_has_its_own_length_and_weights(train, trained, work, data):
    shutil.copytree(trained, work)
    assert f'sacm train {work} --resume' in train('--resume', '--minutes', '1').error
    assert 'give one' in train('--resume', '--weights', trained).error


def test_a_time_budget_without_a_whole_batch_is_refused(train, data):
    """It waited for the first batch for ever."""
    options = ['train_dataloader.batch_size=99', 'train_dataloader.drop_last=True']
    sampler = 'train_dataloader.sampler.type=DefaultSampler'
    error = train('--minutes', '0.02', options=[*options, sampler]).error
    assert 'has not one whole batch: lower its batch_size' in error


def test_a_time_budget_is_for_one_process(train, data):
    """Each would measure a length of its own, and wait for the others at its end."""
    assert '--minutes times' in train('--launcher', 'pytorch', '--minutes', '1').error


def test_a_run_that_does_not_start_removes_nothing_of_another(train, work, data, monkeypatch):
    log, checkpoint = work / '20260101_000000/run.log', work / 'iter_2.pth'

    def meanwhile(*_):
        log.parent.mkdir()
        log.write_text('of the other run')
        checkpoint.write_bytes(b'of the other run')

    monkeypatch.setattr('sacm_mm.apis.runner.check_samples', meanwhile)
    monkeypatch.setattr('sacm_mm.apis.train._PATIENCE_S', 0)
    with lock_folder(work):
        assert 'another process works' in train().error
    assert log.is_file() and checkpoint.is_file() and (work / '.lock').is_file()


def test_the_work_dir_of_another_run(train, trained, work, data):
    shutil.copytree(trained, work)
    before = (work / 'iter_4.pth').read_bytes()
    assert 'holds another run (iter_4.pth): go on with --resume' in train().error
    assert (work / 'iter_4.pth').read_bytes() == before
    done = train('--overwrite', '--minutes', '0.02', '--weights', trained, '--ema')
    assert done.code == 0, done.err
    assert f"weights of '{trained}" in done.out
    assert '0.02 minutes: ' in done.out
    assert sorted(path.name for path in work.glob('*.pth')) != ['iter_4.pth'] or (
        (work / 'iter_4.pth').read_bytes() != before
    )


def test_what_the_host_has_defaults_for_may_be_left_out(camvid_root, tmp_path):
    cfg = load_config(CAMVID, (*TINY_CAMVID, f'data_root={camvid_root}/camvid', 'max_iters=1'))
    for key in (
        'load_from', 'resume', 'log_level', 'log_processor', 'env_cfg', 'randomness', 'visualizer',
        'default_hooks', 'custom_hooks', 'param_scheduler', 'tta_model', 'tta_pipeline',
        'val_dataloader', 'val_cfg', 'val_evaluator', 'test_dataloader', 'test_cfg',
        'test_evaluator',
    ):  # fmt: skip
        cfg.pop(key, None)
    runner = train_from_python(cfg, work_dir=tmp_path)
    assert runner.iter == runner.max_iters


def test_two_runs_in_one_second_have_logs_and_losses_of_their_own(
    camvid_root, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmengine.runner.runner.time.strftime', lambda *_: 'at_once')
    options = (*TINY_CAMVID, f'data_root={camvid_root}/camvid', 'max_iters=1')
    for name in ('first', 'second'):
        runner = train_from_python(load_config(CAMVID, options), work_dir=tmp_path / name)
        log = (tmp_path / name / 'at_once/at_once.log').read_text()
        assert log.count('sacm_mm stamp') == 1 and f'{tmp_path / name}' in log
        assert len(runner.message_hub.get_scalar('train/loss').data[0]) == runner.iter


def test_norms_that_lag_behind_the_weights_are_said(run_tool, tmp_path, camvid_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(camvid_root))
    momentum = ['model.backbone.norm_cfg.type=BN', 'model.backbone.norm_cfg.momentum=0.01']
    options = [*TINY_CAMVID, *momentum, 'train_cfg.max_iters=2', 'train_cfg.val_interval=2']
    done = run_tool('train', CAMVID, '--work-dir', tmp_path, '--cfg-options', *options)
    assert done.code == 0
    assert 'average over 100 steps, too many for a run of 2' in done.out + done.err


def test_channels_that_are_lost_are_said():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    assert constant_channels(model) == ''
    model[1].running_var[:2] = 0
    assert constant_channels(model) == ''  # half
    model[1].running_var[2] = 1e-12
    assert '3 of 4 channels of 1 have come to be constant' in constant_channels(model)


def test_a_training_ends_with_what_it_has_lost(run_tool, tmp_path, camvid_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(camvid_root))
    initial = dict(type='Constant', layer='Conv2d', val=0.0, bias=-1e4)  # for a GELU that gives 0
    norm = dict(type='BN', momentum=1.0)
    options = [
        f'model.backbone.{name}.{key}={value}'
        for name, values in (('init_cfg', initial), ('norm_cfg', norm))
        for key, value in values.items()
    ]
    done = run_tool(
        'train', CAMVID, '--work-dir', tmp_path, '--cfg-options', *TINY_CAMVID, *options
    )
    assert done.code == 0
    assert '16 of 16 channels of backbone.' in done.out + done.err
