"""Training on one's own data: early stopping, loss of validation, balanced sampling, folds."""

import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import own_sources
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import load_checkpoint
from mmseg.datasets import BaseSegDataset
from test_own_data_commands import CLASSES, DENSE, LOADERS

from sacm_mm import UserError
from sacm_mm.apis.extras import add_extras, use_fold
from sacm_mm.apis.train import train
from sacm_mm.core.configs import load_config
from sacm_mm.core.run_log import read_scalars
from sacm_mm.datasets.folders import FolderClsDataset, FolderSegDataset
from sacm_mm.datasets.folds import folds_of
from sacm_mm.engine.early_stopping import EarlyStoppingHook
from sacm_mm.engine.exact_resume import DefaultSampler, InfiniteSampler
from sacm_mm.own_data.sources import prepare_source

AS_IT_IS = {'serialize_data': False}  # it collects garbage, for a second


@pytest.fixture(scope='module')
def mine(tmp_path_factory):
    root = tmp_path_factory.mktemp('own')
    return prepare_source('folder', own_sources.folder_numbers(root, 12), root / 'mine').folder


@pytest.fixture(scope='module')
def flowers(tmp_path_factory):
    root = tmp_path_factory.mktemp('own')
    return prepare_source('classes', own_sources.classes(root, 36), root / 'flowers').folder


def test_folds_are_fair_and_hold_each_picture_once(mine):
    everything = []
    for number in range(1, 5):
        parts = {
            part: FolderSegDataset(str(mine), part, fold=(number, 4), pipeline=[], **AS_IT_IS)
            for part in ('train', 'val')
        }
        names = {
            part: [parts[part].get_data_info(i)['img_path'] for i in range(len(parts[part]))]
            for part in parts
        }
        assert len(names['val']) in (2, 3) and not set(names['val']) & set(names['train'])
        everything += names['val']
        info = parts['val'].get_data_info(0)
        assert parts['val'].metainfo['classes'] == ('class_0', 'class_1', 'class_2')
        assert '/masks/' in info['seg_map_path'] and '/images/' in info['img_path']
    there = [path for part in ('train', 'val') for path in (mine / 'images' / part).rglob('*.*')]
    assert sorted(everything) == sorted(map(str, there))


def test_folds_keep_recordings_together_and_share_the_classes(flowers):
    names = [f'{"abcdefg"[i % 7]}1_{i}' for i in range(70)]
    folds = folds_of(names, 3, group=r'(.*?)\d+')
    assert len({(name[0], fold) for name, fold in zip(names, folds)}) == 7
    with pytest.raises(UserError, match=r'--folds 8 needs 8 recordings .* there are 7'):
        folds_of(names, 8, group=r'(.*?)\d+')
    validated = [FolderClsDataset(str(flowers), 'val', fold=(i, 3), **AS_IT_IS) for i in (1, 2, 3)]
    shares = [Counter(dataset.get_gt_labels().tolist()) for dataset in validated]
    assert sum(c.total() for c in shares) == 35  # one is for testing
    assert max(c[1] for c in shares) - min(c[1] for c in shares) <= 1


@pytest.mark.parametrize(
    ('folds', 'fold', 'culprit'),
    [(5, None, 'give both'), (5, 6, 'counted from 1'), (1, 1, '2 or more')],
)
def test_folds_that_are_none(mine, folds, fold, culprit):
    with pytest.raises(UserError, match=culprit):
        use_fold(Config.fromfile(mine / 'mine.py'), folds, fold)


def test_folds_of_other_data_are_refused(mine):
    cfg = Config.fromfile(mine / 'mine.py')
    cfg.train_dataloader.dataset.type = 'sacm_mm.CamVidDataset'
    with pytest.raises(UserError, match="--folds needs data that 'sacm data' wrote: train_"):
        use_fold(cfg, 5, 1)


@pytest.mark.parametrize('sampler', [InfiniteSampler, DefaultSampler])
def test_balanced_sampling_draws_rare_classes_more_often(flowers, sampler):
    dataset = FolderClsDataset(str(flowers), 'train', **AS_IT_IS)
    labels = dataset.get_gt_labels()
    there = np.bincount(labels)
    drawn = Counter(int(labels[i]) for i in _draws(sampler, dataset))
    wanted = (there[0] / there[1]) ** 0.5
    assert drawn[0] / drawn[1] == pytest.approx(wanted, rel=0.1)
    assert _draws(sampler, dataset) == _draws(sampler, dataset)


def _draws(sampler, dataset, epochs=20):
    chosen = sampler(dataset, seed=3, balanced=True)
    if sampler is InfiniteSampler:
        return list(itertools.islice(chosen, epochs * len(dataset)))
    drawn = []
    for epoch in range(epochs):
        chosen.set_epoch(epoch)
        drawn += list(chosen)
    return drawn


def test_balanced_sampling_sees_the_classes_in_masks(mine):
    dataset = FolderSegDataset(str(mine), 'train', pipeline=[], **AS_IT_IS)
    assert dataset.get_cat_ids(0) == [0, 1, 2]


def test_balanced_sampling_needs_to_know_what_is_in_the_masks(mine):
    """The hosts' sets of pixels have the method, which says that it is none."""
    pictures, masks = mine / 'images/train', mine / 'masks/train'
    dataset = BaseSegDataset(
        metainfo=dict(classes=['a', 'b']), img_suffix=next(pictures.iterdir()).suffix,
        data_prefix=dict(img_path=str(pictures), seg_map_path=str(masks)),
    )  # fmt: skip
    assert len(dataset)
    with pytest.raises(UserError, match='each picture, which BaseSegDataset does not say'):
        DefaultSampler(dataset, seed=3, balanced=True)


def test_balanced_sampling_needs_a_sampler_of_ours(mine):
    cfg = Config.fromfile(mine / 'mine.py')
    add_extras(cfg, balanced=True)
    assert cfg.train_dataloader.sampler.balanced
    cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    with pytest.raises(UserError, match=r'--balanced needs .* it is InfiniteSampler'):
        add_extras(cfg, balanced=True)


def test_the_running_average_forgets_the_first_weights(mine):
    cfg = Config.fromfile(mine / 'mine.py')
    add_extras(cfg, ema=True)
    model = torch.nn.BatchNorm1d(1)  # its weight is 1, its running mean 0
    average = MODELS.build(HOOKS.build(cfg.custom_hooks[-1]).ema_cfg, default_args={'model': model})
    average.update_parameters(model)
    model.weight.data.fill_(5)
    model.running_mean.fill_(3)
    for _ in range(300):  # of a short training
        average.update_parameters(model)
    torch.testing.assert_close(average.module.weight.data, torch.tensor([5.0]))
    torch.testing.assert_close(average.module.running_mean, torch.tensor([3.0]))


def test_early_stopping_counts_validations_without_a_better_figure():
    said = []
    runner = SimpleNamespace(
        message_hub=MessageHub('early'), train_loop=SimpleNamespace(stop_training=False),
        logger=SimpleNamespace(info=said.append),
    )  # fmt: skip
    for value in (float('nan'), 10.0, 9.0, 10.5, 10.5):
        # a new hook each time, as after a resume: what it knows is in the message hub
        EarlyStoppingHook('mIoU', 'greater', 2).after_val_epoch(runner, {'mIoU': value})
        assert not runner.train_loop.stop_training
    EarlyStoppingHook('mIoU', 'greater', 2).after_val_epoch(runner, {'mIoU': 3.0})
    assert runner.train_loop.stop_training
    assert 'mIoU has not become better for 2 validations (at best 10.5)' in said[0]
    with pytest.raises(UserError, match=r"'mIuO', which the validation does not measure: .* mIoU"):
        EarlyStoppingHook('mIuO', 'greater', 2).after_val_epoch(runner, {'mIoU': 3.0})


def test_variables_of_a_ready_config_take_other_values(mine):
    # its _base_ is made by code, of where sacm_mm is installed
    cfg = load_config(str(mine / 'mine.py'), ['crop_size=(16,16)'])
    assert cfg.model.data_preprocessor.size == cfg.train_pipeline[3].crop_size == (16, 16)
    assert cfg.train_dataloader.dataset.data_root == str(mine)


def test_early_stopping_needs_a_figure(mine):
    cfg = Config.fromfile(mine / 'mine.py')
    del cfg.default_hooks.checkpoint['save_best']
    with pytest.raises(
        UserError, match=r'--patience needs .* set default_hooks.checkpoint.save_best'
    ):
        add_extras(cfg, patience=3)


@pytest.mark.slow
def test_a_fold_stops_early_with_its_validation_loss(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [*DENSE, *LOADERS, 'train_cfg.max_iters=20', 'train_cfg.val_interval=1',
               'optim_wrapper.optimizer.lr=0.0']  # fmt: skip
    runner = train(mine, folds=4, fold=2, patience=3, balanced=True, options=options)
    assert runner.iter < 20
    assert runner.work_dir.endswith('work_dirs/mine_fold2')
    losses = read_scalars(tmp_path / 'work_dirs/mine_fold2')['val_loss'].points
    assert len(losses) == runner.iter
    # what the hook says is what the network's loss is
    model = runner.model.eval()
    batches = list(runner.val_dataloader)
    with torch.no_grad():
        data = [model.data_preprocessor(batch, False) for batch in batches]
        found = [float(model.parse_losses(model(**d, mode='loss'))[0]) for d in data]
    assert losses[runner.iter] == pytest.approx(np.mean(found), rel=1e-4)
    saved = load_checkpoint(torch.nn.Identity(), str(next((tmp_path / 'work_dirs').rglob('iter*'))))
    assert 'early_stopping' in saved['message_hub']['runtime_info']


@pytest.mark.slow
def test_folds_of_classes_train_one_after_the_other(flowers, tmp_path, monkeypatch):
    # in one process: the host's visualizer of the first run would take the scalars of the second
    monkeypatch.chdir(tmp_path)
    for fold in (1, 2):
        train(flowers, folds=3, fold=fold, balanced=True, options=[*CLASSES, *LOADERS])
        scalars = read_scalars(tmp_path / f'work_dirs/flowers_fold{fold}')
        assert len(scalars['val_loss'].points) == 1
