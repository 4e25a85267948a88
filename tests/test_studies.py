"""Studies compare what they say: one recipe for all rows, and only the network differs."""

from pathlib import Path

import pytest

from sacm_mm import UserError
from sacm_mm.comparison.study import BUDGETS, load_study

STUDIES = sorted((Path(__file__).resolve().parents[1] / 'configs/comparison').glob('*.py'))
every_study = pytest.mark.parametrize('path', STUDIES, ids=lambda path: path.stem)


def test_there_are_studies():
    assert {path.stem for path in STUDIES} >= {
        'camvid_seg', 'cifar10_cls', 'nyu_depth', 'voc_seg', 'ade20k_seg', 'imagenet_cls',
        'stem_camvid', 'stem_cifar10', 'head_camvid',
    }  # fmt: skip


@every_study
@pytest.mark.parametrize('budget', BUDGETS)
def test_budgets_change_no_rows_but_by_name(path, budget):
    study = load_study(str(path), budget)
    assert study.rows and study.seeds and study.steps > 0
    assert set(study.keep_weights) <= set(load_study(str(path), 'full').rows)


@every_study
def test_everything_but_the_model_is_fixed(path):
    study = load_study(str(path), 'tiny')
    models, recipes = [], []
    for row in study.rows.values():
        cfg = study.expand(row, 0).to_dict()
        cfg.pop('custom_imports')  # where the backbone's code is
        models.append(cfg.pop('model'))
        recipes.append(cfg)
    assert all(model not in models[:i] for i, model in enumerate(models))
    assert all(recipe == recipes[0] for recipe in recipes)


@every_study
def test_seeds_change_nothing_else(path):
    study = load_study(str(path), 'tiny')
    row = next(iter(study.rows.values()))
    one, two = (study.expand(row, seed).to_dict() for seed in (1, 2))
    assert (one.pop('randomness'), two.pop('randomness')) == ({'seed': 1}, {'seed': 2})
    assert one == two


def test_mistakes_are_named(tmp_path):
    with pytest.raises(UserError, match='camvid_seg'):
        load_study('camvid_segg')
    with pytest.raises(UserError, match="no budget 'huge': it has full, laptop, tiny"):
        load_study('camvid_seg', 'huge')
    config = tmp_path / 'no_study.py'
    config.write_text('model = dict()\n')
    with pytest.raises(UserError, match='is no study'):
        load_study(str(config))
