"""Reports of studies count only runs that are what they say, and are made of them alone."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from kept_study import write_run, write_study

from sacm_mm import UserError
from sacm_mm.studies.actions import list_studies
from sacm_mm.studies.gather import gather
from sacm_mm.studies.pareto import pareto_front
from sacm_mm.studies.report import write_report
from sacm_mm.studies.results import load_results
from sacm_mm.studies.runs import Run
from sacm_mm.studies.study import load_study
from sacm_mm.studies.training import train_all

FIGURES = {
    'conv': [50.0, 52.0, 54.0],
    'pixel-unshuffle': [51.0, 53.0],
    'conv-glorot': [40.0],
}


def test_nothing_to_report_says_what_to_run(tmp_path, run_tool):
    done = run_tool('study', 'report', 'stem_camvid', '--rebuild', '--out', tmp_path)
    assert 'run tools/study.py run' in done.error


class Silent:
    def __init__(self):
        self.reasons = []

    def started(self, run):
        raise AssertionError('nothing to start')

    def moved(self, run, steps):
        raise AssertionError('nothing runs')

    def ended(self, run, figure, reason):
        self.reasons.append(reason)


@pytest.fixture
def broken(tmp_path):
    """A study one of whose rows does not build."""
    path = tmp_path / 'broken.py'
    base = list_studies()[0].parent / '_base_/camvid.py'
    path.write_text(
        f"_base_ = '{base}'\n"
        "study = dict(title='t', about='a', metric='mIoU', metric_name='mIoU', unit='%',\n"
        '    higher_is_better=True, size=(64, 64), networks={\n'
        "    'fine': dict(label='fine'),\n"
        "    'missing': dict(label='missing', backbone='mmpretrain:resnet/19'),\n"
        "    'wrong': dict(label='wrong', model=dict(backbone=dict(embed='shuffled'))),\n"
        '})\n'
    )
    return str(path)


def test_rows_that_do_not_build_are_recorded_and_the_others_go_on(broken, tmp_path):
    study = load_study(broken, 'tiny')
    runs = [Run(study, study.networks[name], 0, tmp_path / 'runs') for name in ('missing', 'wrong')]
    watcher = Silent()
    assert train_all(runs, 1, [], watcher) == runs
    assert 'did you mean' in watcher.reasons[0] and 'shuffled' in watcher.reasons[1]
    out = tmp_path / 'out'
    assert gather(study, tmp_path / 'runs', out) == []
    write_run(study, out / 'runs/fine_seed0', 'fine', 0, 50.0)
    left_out = dict(load_results(out).left_out)
    assert 'did you mean' in left_out['missing_seed0'] and 'shuffled' in left_out['wrong_seed0']


def test_a_folder_of_another_recipe_is_not_taken_up(tmp_path):
    study = load_study('stem_camvid', 'tiny')
    run = Run(study, study.networks['conv'], 0, tmp_path)
    run.prepare()
    run.prepare()  # the same again is fine
    text = run.config.read_text()
    run.config.write_text(text.replace("'batch_size': 4", "'batch_size': 5"))
    with pytest.raises(UserError, match='batch_size: 5, not 4'):
        run.prepare()


@pytest.fixture
def kept(tmp_path):
    """The results of three rows of the stem study."""
    out = tmp_path / 'kept'
    write_study(load_study('stem_camvid', 'tiny'), out, FIGURES)
    return out


def edit(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_means_and_spreads(kept):
    comparison = load_results(kept)
    conv = next(row for row in comparison.rows if row.name == 'conv')
    assert (conv.mean, conv.spread) == (52.0, 2.0)
    assert conv.minutes == 0.5 * 40 / 60  # the kept runs' iterations, and their number
    assert [row.name for row in comparison.best_first()] == [
        'conv', 'pixel-unshuffle', 'conv-glorot',
    ]  # fmt: skip
    assert dict(comparison.left_out) == {'pixel-unshuffle-glorot': 'not run'}


def test_what_cannot_be_trusted_is_left_out_with_a_reason(kept):
    runs = kept / 'runs'
    shutil.copytree(runs / 'conv_seed2', runs / 'copied')
    (runs / 'conv_seed1/test_whole.log').write_bytes(b'\xff\xfe\x00')
    config = json.loads((runs / 'pixel-unshuffle_seed0/config.json').read_text())
    config['recipe']['train_cfg']['max_iters'] = 77
    (runs / 'pixel-unshuffle_seed0/config.json').write_text(json.dumps(config))
    edit(runs / 'pixel-unshuffle_seed1/result.json', budget='full')
    comparison = load_results(kept)
    left_out = dict(comparison.left_out)
    assert 'are both conv with seed 2' in left_out['copied'] == left_out['conv_seed2']
    assert 'damaged' in left_out['conv_seed1']
    assert 'train_cfg.max_iters: 77, not 40' in left_out['pixel-unshuffle_seed0']
    assert 'stem_camvid (full)' in left_out['pixel-unshuffle_seed1']
    assert [(row.name, row.mean) for row in comparison.rows] == [('conv', 50), ('conv-glorot', 40)]


@pytest.mark.parametrize(
    ('name', 'content', 'reason'),
    [
        ('scalars.json', None, 'ends at step 0 of 40'),
        ('scalars.json', '{"loss": 1, "iter": 20, "step": 20}\n', 'ends at step 20 of 40'),
        ('scalars.json', '{"loss": 1, "iter": 40, "step": 40}\n', 'how long an iteration took'),
        ('scalars.json', 'not json\n', 'not a log of mmengine'),
        ('test_whole.log', 'Iter(test) [4/4] mIoU: 41.0000\n', '40.0000 in result.json, but 41'),
        ('test_whole.log', 'killed', 'the test did not end'),
        ('train.log', 'no stamp', 'which code and machine'),
        ('train.log', None, 'train.log is missing'),
        ('result.json', '{', 'result.json is damaged'),
        ('result.json', '{}', 'lacks'),
        ('config.json', '[]', 'lacks'),
    ],
)
def test_damage(kept, name, content, reason):
    path = kept / 'runs/conv-glorot_seed0' / name
    path.unlink() if content is None else path.write_text(content)
    assert reason in dict(load_results(kept).left_out)['conv-glorot_seed0']


def test_nothing_is_reported_of_nothing(kept):
    shutil.rmtree(kept / 'runs')
    with pytest.raises(UserError, match='no run in'):
        load_results(kept)


def snapshot(folder):
    return {
        p.relative_to(folder): p.read_bytes()
        for p in sorted(folder.rglob('*'))
        if p.is_file() and 'runs' not in p.parts
    }


def test_a_report_is_rebuilt_identically_from_its_logs(kept, run_tool, tmp_path):
    write_report(kept)
    first = snapshot(kept)
    assert {Path(name) for name in (
        'table.csv', 'runs.csv', 'table.md', 'index.html', 'curves.png', 'classes.png',
        'samples.png', 'front_macs.png', 'front_parameters.png', 'front_latency_ms.png',
    )} <= set(first)  # fmt: skip
    elsewhere = tmp_path / 'elsewhere'
    shutil.copytree(kept, elsewhere)
    for path in elsewhere.iterdir():
        if path.suffix in ('.csv', '.md', '.html', '.png'):
            path.unlink()
    done = run_tool('study', 'report', 'stem_camvid', '--rebuild', '--out', elsewhere)
    assert done.code == 0, done.err
    assert snapshot(elsewhere) == first
    with (kept / 'table.csv').open() as file:
        rows = {row['row']: row for row in csv.DictReader(file)}
    assert rows['conv']['mean'] == '52.0000' and rows['conv']['spread'] == '2.0000'
    with (kept / 'runs.csv').open() as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 6
    assert all(r['commit'] == 'c' * 40 and r['hardware'] and r['command'] for r in runs)


def test_the_page_holds_everything_itself(kept):
    write_report(kept)
    page = (kept / 'index.html').read_text()
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', page)
    assert 'http' not in re.sub(r'base64,[\w+/=]+', '', page)
    assert page.count('data:image/png') == 6
    assert '52.00 ± 2.00' in page and 'not run' in page


def test_the_front_of_best_trades():
    points = [(1, 10), (2, 9), (2, 12), (3, 12), (4, 20)]
    assert pareto_front(points, higher_is_better=True) == [0, 2, 4]
    assert pareto_front([(1, 0.5), (2, 0.4), (3, 0.45)], higher_is_better=False) == [0, 1]
