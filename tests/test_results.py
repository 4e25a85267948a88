"""Recorded figures come out again of the recorded weights."""

import json
import os
import re
from pathlib import Path

import pytest

from sacm_mm.studies.results import load_results
from sacm_mm.studies.study import load_study

RESULTS_FOLDER = Path(__file__).resolve().parents[1] / 'results'
RESULTS = sorted(RESULTS_FOLDER.glob('*/result.json'))


def test_there_are_results():
    assert RESULTS


@pytest.mark.parametrize('path', RESULTS, ids=lambda path: path.parent.name)
def test_a_result_has_what_made_it(path):
    result = json.loads(path.read_text())
    assert result['config'] and result['commands'] and result['seed'] is not None
    assert len(result['train']['stamp']['commit']) == 40, 'not a clean commit'
    assert {'train.log', 'scalars.json', 'config.py'} <= {p.name for p in path.parent.iterdir()}
    config = (path.parent / 'config.py').read_text().replace(' ', '')
    assert "='/" not in config and "='data/" not in config  # the data are where $SACM_DATA says
    for name, test in result['test'].items():
        log = (path.parent / f'test_{name.replace(" ", "_")}.log').read_text()
        figures = {k: v for k, v in test['figures'].items() if 'time' not in k}
        assert figures
        for key, value in figures.items():
            assert f'{key}: {value:.4f}' in log or f'{key}: {value} ' in log, key


def test_the_first_table_of_the_docs_has_every_result():
    page = (RESULTS_FOLDER.parent / 'docs/results.md').read_text(encoding='utf-8')
    table = [line for line in page.partition('\n\nRising')[0].splitlines() if line[:2] == '| ']
    for path in RESULTS:
        result = json.loads(path.read_text(encoding='utf-8'))
        if not result['test'] or result['config'].startswith('results/'):  # a trial, told of there
            continue
        figures = result['test']['whole']['figures']
        key = next(k for k in ('nyu_eigen/abs_rel', 'mIoU', 'accuracy/top1') if k in figures)
        text = f'{figures[key]:.3f}' if 'abs_rel' in key else f'{figures[key]:.2f} %'
        assert any(re.search(rf'[ *]{text}', line) for line in table), f'{path.parent.name}: {text}'


def test_the_learning_rates_of_a_study_are_the_best_of_its_trials():
    trials = [load_results(path.parent) for path in RESULTS_FOLDER.glob('lr_*/*/study.json')]
    assert trials
    for name in {trial.study['name'] for trial in trials}:
        study = load_study(name, 'medium')
        best = max if study.higher_is_better else min
        same = [trial for trial in trials if trial.study['name'] == name]
        assert len(same) >= 3
        for network in study.networks.values():
            figures = {
                trial.study['recipe']['optim_wrapper']['optimizer']['lr']: result.mean
                for trial in same
                for result in trial.networks
                if result.name == network.name
            }
            assert len(figures) == len(same), f'{network.name} has fewer trials than others'
            assert network.lr == best(figures, key=figures.__getitem__), network.name


def test_results_hold_no_path_of_a_machine():
    texts = [
        p for p in RESULTS_FOLDER.rglob('*') if p.suffix in ('.csv', '.json', '.log', '.md', '.py')
    ]
    place = re.compile(r'(?<![\w.])/(home|root|work|tmp|mnt|Users)/\S*')
    found = {p: m.group() for p in texts if (m := place.search(p.read_text(encoding='utf-8')))}
    assert len(texts) > 100 and not found


@pytest.mark.slow
@pytest.mark.skipif(
    not Path(os.environ.get('SACM_DATA', ''), 'camvid/test').is_dir(),
    reason='$SACM_DATA has no CamVid',
)
def test_recorded_weights_give_the_recorded_figures(run_tool, tmp_path):
    folder = next(path.parent for path in RESULTS if path.parent.name == 'camvid_light')
    expected = json.loads((folder / 'result.json').read_text())['test']['whole']['figures']
    work = tmp_path / 'work'
    done = run_tool('test', 'sacm_camvid_light.py', folder / 'weights.pth', '--work-dir', work)
    assert done.code == 0, done.err
    (scalars,) = (p for p in work.glob('*/*.json'))
    found = json.loads(scalars.read_text())
    assert found['mIoU'] == pytest.approx(expected['mIoU'], abs=0.02)
