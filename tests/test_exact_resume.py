"""A run that is stopped and goes on ends at the very weights of one that is not."""

import pickle
import shutil

import pytest
import torch
from conftest import CAMVID, TINY_CAMVID, TINY_CIFAR
from mmengine.registry import init_default_scope

from sacm_mm.apis.extras import add_extras
from sacm_mm.apis.fast import use_fast
from sacm_mm.apis.resuming import changes_since, take_over, without_effect
from sacm_mm.core.checkpoints import load_checkpoint
from sacm_mm.core.configs import hook_names, load_config, put_hook
from sacm_mm.core.errors import UserError
from sacm_mm.core.run_log import read_scalars
from sacm_mm.datasets.seeding import Draw


def weights(path):
    checkpoint = load_checkpoint(path)
    return {**checkpoint['state_dict'], **checkpoint.get('ema_state_dict', {})}


def assert_same(straight, resumed):
    first, second = weights(straight), weights(resumed)
    assert first.keys() == second.keys() and first
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_a_draw_keeps_its_seed_on_the_way_to_a_worker():
    draw = pickle.loads(pickle.dumps(Draw(3, 1, 7)))
    assert (draw, draw.seed) == (3, Draw(3, 1, 7).seed)
    assert len({Draw(0, seed, number).seed for seed in range(3) for number in range(100)}) == 300


@pytest.mark.parametrize(
    'options',
    [
        ['model.backbone.drop_path_rate=0.5', 'optim_wrapper.accumulative_counts=2'],
        pytest.param(['train_dataloader.num_workers=1'], marks=pytest.mark.slow),
        pytest.param(
            ['train_dataloader.num_workers=2', 'train_dataloader.persistent_workers=True'],
            marks=pytest.mark.slow,
        ),
    ],
    ids=['no workers, drop path, half a batch', 'one worker', 'persistent workers'],
)
def test_iterations(run_tool, tmp_path, data, options):
    options = [
        *TINY_CAMVID,
        'default_hooks.checkpoint.interval=3',
        *options,
        'train_cfg.max_iters=6',
    ]
    straight, resumed = tmp_path / 'straight', tmp_path / 'resumed'
    assert run_tool('train', CAMVID, '--work-dir', straight, '--cfg-options', *options).code == 0
    resumed.mkdir()
    for name in ('iter_3.pth', CAMVID):
        shutil.copy2(straight / name, resumed)
    done = run_tool('train', CAMVID, '--work-dir', resumed, '--resume', '--cfg-options', *options)
    assert 'not as in the run that goes on' not in done.out
    assert done.code == 0 and 'resumed epoch: 0, iter: 3' in done.out + done.err
    assert 'env variable' not in done.out + done.err  # the config shows it
    assert_same(straight / 'iter_6.pth', resumed / 'iter_6.pth')


@pytest.mark.slow
def test_averaged_weights(run_tool, tmp_path, data):
    options = [*TINY_CAMVID, 'default_hooks.checkpoint.interval=3', 'train_cfg.max_iters=6']
    options += ['randomness.seed=None']  # the run draws one, and goes on with it
    straight, resumed = tmp_path / 'straight', tmp_path / 'resumed'
    call = ['train', CAMVID, '--ema', '--work-dir']
    assert run_tool(*call, straight, '--cfg-options', *options).code == 0
    resumed.mkdir()
    shutil.copy2(straight / 'iter_3.pth', resumed)
    assert run_tool(*call, resumed, '--resume', '--cfg-options', *options).code == 0
    assert_same(straight / 'iter_6.pth', resumed / 'iter_6.pth')


def test_epochs(run_tool, tmp_path, cifar_root, monkeypatch):
    """Before and after the epoch in which SwitchRecipeHook puts another pipeline in place."""
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    options = [*TINY_CIFAR, 'train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    options += ['default_hooks.checkpoint.max_keep_ckpts=3']
    options += ['custom_hooks.2.schedule.0.action_epoch=2']
    straight = tmp_path / 'straight'
    config = 'sacm_cifar10_progressive.py'
    assert run_tool('train', config, '--work-dir', straight, '--cfg-options', *options).code == 0
    for epoch in (1, 2):
        resumed = tmp_path / f'resumed_{epoch}'
        resumed.mkdir()
        shutil.copy2(straight / f'epoch_{epoch}.pth', resumed)
        done = run_tool(
            'train', config, '--work-dir', resumed, '--resume', '--cfg-options', *options
        )
        assert done.code == 0
        assert_same(straight / 'epoch_3.pth', resumed / 'epoch_3.pth')


def test_what_is_set_in_another_way_is_told(tmp_path):
    cfg = load_config(CAMVID, TINY_CAMVID)
    cfg.work_dir = str(tmp_path)
    assert changes_since(cfg) == []
    cfg.dump(tmp_path / CAMVID)
    cfg.resume, cfg.load_from = True, 'iter_3.pth'
    assert changes_since(cfg) == []
    cfg.train_cfg.max_iters += 1
    cfg.optim_wrapper.accumulative_counts = 2
    put_hook(cfg, dict(type='EMAHook'))
    changed = ['custom_hooks', 'optim_wrapper.accumulative_counts', 'train_cfg.max_iters']
    assert sorted(changes_since(cfg)) == changed
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1e-3)
    with pytest.raises(UserError, match='is SGD, and the run that goes on has AdamW: set that'):
        changes_since(cfg)


def test_what_the_checkpoint_has_of_its_own_is_told():
    cfg = load_config(CAMVID, TINY_CAMVID)
    init_default_scope('mmseg')
    of_optimizer = ['lr', 'weight_decay', 'matrix_lr', 'momentum', 'type']
    names = [f'optim_wrapper.optimizer.{key}' for key in of_optimizer]
    names += ['optim_wrapper.clip_grad.max_norm', 'param_scheduler.eta_max', 'train_cfg.max_iters']
    cfg.optim_wrapper.optimizer = dict(type='sacm_mm.Muon', lr=1e-3, matrix_lr=3.0)
    cfg.param_scheduler = dict(type='sacm_mm.OneCycleLR', pct_start=0.1)
    assert without_effect(cfg, [*names, 'param_scheduler.pct_start']) == [
        'optim_wrapper.optimizer.lr',
        'optim_wrapper.optimizer.weight_decay',
        'param_scheduler.eta_max',
    ]
    cfg.param_scheduler = [cfg.param_scheduler]
    names = ['param_scheduler.0.pct_start', 'param_scheduler.0.div_factor']
    assert without_effect(cfg, names) == names[1:]
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1e-3)
    cfg.param_scheduler = [dict(type='PolyLR', by_epoch=False)]
    assert without_effect(cfg, ['optim_wrapper.optimizer.momentum', 'param_scheduler']) == [
        'optim_wrapper.optimizer.momentum',
        'param_scheduler',
    ]


def test_the_seed_of_the_run_and_its_average_are_taken_over():
    cfg = load_config(CAMVID, TINY_CAMVID)
    checkpoint = {'meta': {'seed': 17}, 'optimizer': {}, 'ema_state_dict': {}}
    with pytest.raises(UserError, match='give --ema to go on with it'):
        take_over(cfg, checkpoint)
    add_extras(cfg, ema=True)
    take_over(cfg, checkpoint)
    assert cfg.randomness.seed == 17


def test_a_flag_that_is_given_again_changes_nothing():
    cfg = load_config(CAMVID, TINY_CAMVID)
    cfg.default_hooks.checkpoint.update(save_best='mIoU', rule='greater')
    for _ in range(2):  # as in the config that a run leaves in its work dir
        use_fast(cfg)
        add_extras(cfg, ema=True, patience=3)
    names = hook_names(cfg)
    assert len(names) == len(set(names)) and {'EMAHook', 'EarlyStoppingHook'} < set(names)
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.1)]
    add_extras(cfg, ema=True)
    assert cfg.custom_hooks == [dict(type='EMAHook', momentum=0.1)]


def test_a_run_that_goes_on_in_a_copy_leaves_the_best_checkpoint_of_the_first(
    run_tool, tmp_path, data
):
    options = [*TINY_CAMVID, 'default_hooks.checkpoint.save_best=mIoU', 'train_cfg.max_iters=2']
    first, second = tmp_path / 'first', tmp_path / 'second'
    call = ['train', CAMVID, '--work-dir']
    assert run_tool(*call, first, '--cfg-options', *options).code == 0
    shutil.copytree(first, second)
    checkpoint = load_checkpoint(second / 'iter_2.pth')
    checkpoint['message_hub']['runtime_info']['best_score'] = -1.0  # so that the next is better
    torch.save(checkpoint, second / 'iter_2.pth')
    options[-1] = 'train_cfg.max_iters=4'
    assert run_tool(*call, second, '--resume', '--cfg-options', *options).code == 0
    assert [path.name for path in first.glob('best_*')] == ['best_mIoU_iter_2.pth']
    assert [path.name for path in second.glob('best_*')] == ['best_mIoU_iter_4.pth']


def test_weights_alone_are_no_run_to_go_on_with():
    """As of a best checkpoint: its schedule would begin anew in the middle of the steps."""
    cfg = load_config(CAMVID, TINY_CAMVID)
    cfg.load_from = 'best_mIoU_iter_2.pth'
    with pytest.raises(UserError, match=r"best_mIoU_iter_2.pth' holds no state .* give --weights"):
        take_over(cfg, {'meta': {'seed': 17}})


@pytest.mark.parametrize('saved', [False, True], ids=['killed before it', 'best already'])
def test_a_validation_that_was_due_is_made_up_for(run_tool, tmp_path, data, saved):
    """The checkpoint of a step comes before its validation: a kill may come between them."""
    options = [*TINY_CAMVID, 'default_hooks.checkpoint.save_best=mIoU']
    straight, resumed = tmp_path / 'straight', tmp_path / 'resumed'
    call = ['train', CAMVID, '--work-dir']
    assert run_tool(*call, straight, '--cfg-options', *options).code == 0
    resumed.mkdir()
    checkpoint = load_checkpoint(straight / 'iter_4.pth')
    info = checkpoint['message_hub']['runtime_info']
    if saved:
        shutil.copy2(straight / 'best_mIoU_iter_4.pth', resumed)
        info['best_score'] = -1.0  # a figure that comes out a little better the second time
    else:
        del info['best_score'], info['best_ckpt']
    torch.save(checkpoint, resumed / 'iter_4.pth')
    assert run_tool(*call, resumed, '--resume', '--cfg-options', *options).code == 0
    assert [path.name for path in resumed.glob('best_*')] == ['best_mIoU_iter_4.pth']
    assert read_scalars(resumed)['mIoU'].points == read_scalars(straight)['mIoU'].points
