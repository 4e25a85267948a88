"""Reports of studies count only runs that are what they say, and are made of them alone."""

import csv
import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from kept_study import write_run, write_study
from mmengine.registry import MODELS

from sacm_mm import UserError
from sacm_mm.core.files import write_json
from sacm_mm.studies.actions import list_studies
from sacm_mm.studies.pareto import pareto_front
from sacm_mm.studies.records import record_runs
from sacm_mm.studies.report import write_report
from sacm_mm.studies.results import load_results, model_mark
from sacm_mm.studies.runs import Run, all_runs
from sacm_mm.studies.samples import draw_samples
from sacm_mm.studies.study import load_study
from sacm_mm.studies.training import train_all

FIGURES = {
    'conv': [50.0, 52.0, 54.0],
    'pixel-unshuffle': [51.0, 53.0],
    'conv-glorot': [40.0],
}


def test_nothing_to_report_says_what_to_run(tmp_path, run_tool):
    done = run_tool('study', 'report', 'stem_camvid', '--rebuild', '--out', tmp_path)
    assert 'run sacm study run' in done.error


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
    assert record_runs(study, tmp_path / 'runs', out) == []
    write_run(study, out / 'runs/fine_seed0', 'fine', 0, 50.0)
    left_out = dict(load_results(out).left_out)
    assert 'did you mean' in left_out['missing_seed0'] and 'shuffled' in left_out['wrong_seed0']


def test_rows_that_do_not_build_are_told_of_before_the_first_is_trained(broken, tmp_path):
    study = load_study(broken, 'tiny')
    runs = [Run(study, network, 0, tmp_path) for network in study.networks.values()]
    told = []

    def started(run):
        told.append(run.network.name)
        raise KeyboardInterrupt

    watcher = SimpleNamespace(ended=lambda run, *_: told.append(run.network.name), started=started)
    with suppress(KeyboardInterrupt):
        train_all(runs, 1, [], watcher)
    assert told == ['missing', 'wrong', 'fine']


def test_a_folder_of_another_recipe_is_not_taken_up(tmp_path):
    study = load_study('stem_camvid', 'tiny')
    run = Run(study, study.networks['conv'], 0, tmp_path)
    run.prepare()
    run.train_dir.mkdir()  # it has begun
    run.prepare()  # the same again is fine
    text = run.config.read_text()
    changed = text.replace("'batch_size': 4", "'batch_size': 5")
    run.config.write_text(changed)
    with pytest.raises(UserError, match='batch_size: 5, not 4'):
        run.prepare()
    assert run.config.read_text() == changed


def test_runs_that_have_not_begun_are_of_the_study_as_it_is(tmp_path):
    """After a look at the first run its recipe could not be changed: each was to be removed."""
    study = load_study('stem_camvid', 'tiny')
    run = Run(study, study.networks['conv'], 0, tmp_path)
    run.prepare()
    text = run.config.read_text()
    run.config.write_text(text.replace("'batch_size': 4", "'batch_size': 5"))
    run.prepare()
    assert run.config.read_text() == text


class Counted(torch.nn.Module):
    """A backbone that counts how often it is built."""

    built = 0

    def __init__(self):
        super().__init__()
        Counted.built += 1
        self.conv = torch.nn.Conv2d(3, 512, 32, 32)

    def forward(self, x):
        return (self.conv(x),)


def test_networks_are_built_once_and_not_for_each_seed(tmp_path):
    MODELS.register_module(module=Counted, force=True)
    path = tmp_path / 'own.py'
    base = list_studies()[0].parent / '_base_/cifar10.py'
    path.write_text(
        f"_base_ = '{base}'\n"
        "study = dict(title='t', about='a', metric='accuracy/top1', metric_name='top-1',\n"
        "    unit='%', higher_is_better=True, size=(32, 32), networks={\n"
        "    'counted': dict(label='counted', backbone=dict(type='mmengine.Counted')),\n"
        '})\n'
    )

    def started(run):
        raise KeyboardInterrupt  # they have been looked at

    counts = []
    for seeds in ([0], [0, 1, 2]):
        study = load_study(str(path), 'tiny')
        runs = all_runs(study, [study.networks['counted']], seeds, tmp_path / str(seeds))
        Counted.built = 0
        with suppress(KeyboardInterrupt):
            train_all(runs, 1, [], SimpleNamespace(started=started))
        assert all(run.config.is_file() for run in runs)
        counts.append(Counted.built)
    assert counts[0] == counts[1] > 0


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
    results = load_results(kept)
    conv = next(row for row in results.networks if row.name == 'conv')
    assert (conv.mean, conv.spread) == (52.0, 2.0)
    assert conv.minutes == 0.5 * 40 / 60  # the kept runs' iterations, and their number
    assert conv.last_fall == pytest.approx(100 * (2.25 - 2.0) / 2.25)  # logged at each quarter
    assert [row.name for row in results.best_first()] == [
        'conv', 'pixel-unshuffle', 'conv-glorot',
    ]  # fmt: skip
    assert dict(results.left_out) == {'pixel-unshuffle-glorot': 'not run'}


def test_what_cannot_be_trusted_is_left_out_with_a_reason(kept):
    runs = kept / 'runs'
    shutil.copytree(runs / 'conv_seed2', runs / 'copied')
    (runs / 'conv_seed1/test_whole.log').write_bytes(b'\xff\xfe\x00')
    config = json.loads((runs / 'pixel-unshuffle_seed0/config.json').read_text())
    config['recipe']['train_cfg']['max_iters'] = 77
    (runs / 'pixel-unshuffle_seed0/config.json').write_text(json.dumps(config))
    edit(runs / 'pixel-unshuffle_seed1/result.json', budget='full')
    results = load_results(kept)
    left_out = dict(results.left_out)
    assert 'are both conv with seed 2' in left_out['copied'] == left_out['conv_seed2']
    assert 'damaged' in left_out['conv_seed1']
    assert 'train_cfg.max_iters: 77, not 40' in left_out['pixel-unshuffle_seed0']
    assert 'stem_camvid (full)' in left_out['pixel-unshuffle_seed1']
    assert [(row.name, row.mean) for row in results.networks] == [('conv', 50), ('conv-glorot', 40)]


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


def test_records_of_before_are_read(kept):
    """In them networks are rows, and IoU of each class is in the log's table alone."""
    study = json.loads((kept / 'study.json').read_text())
    study['rows'] = study.pop('networks')
    (kept / 'study.json').write_text(json.dumps(study))
    for run in (kept / 'runs').iterdir():
        result = json.loads((run / 'result.json').read_text())
        result['row'] = result.pop('network')
        del result['test']['whole']['classes']
        (run / 'result.json').write_text(json.dumps(result))
        log = run / 'test_whole.log'
        log.write_text('| Class | IoU | Acc |\n| sky | 61.50 | 70.0 |\n' + log.read_text())
    results = load_results(kept)
    assert [network.mean for network in results.networks] == [52, 52, 40]
    assert all(run.class_iou == {'sky': 61.5} for run in results.runs)


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
        'table.csv', 'runs.csv', 'table.md', 'index.html', 'curves.webp', 'classes.webp',
        'samples.webp', 'pareto_macs.webp', 'pareto_parameters.webp', 'pareto_latency_ms.webp',
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
        rows = {row['network']: row for row in csv.DictReader(file)}
    assert rows['conv']['mean'] == '52.0000' and rows['conv']['spread'] == '2.0000'
    with (kept / 'runs.csv').open() as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 6
    assert all(r['commit'] == 'c' * 40 and r['hardware'] and r['command'] for r in runs)


def test_a_report_says_which_runs_were_trained_in_bfloat16(kept):
    path = kept / 'runs/conv_seed1/result.json'
    record = json.loads(path.read_text())
    record['train']['stamp']['bfloat16'] = True
    path.write_text(json.dumps(record))
    write_report(kept)
    said = 'Trained on some CPU, 2 threads and some CPU, 2 threads, bfloat16 with PyTorch 2.15.0'
    assert said in (kept / 'table.md').read_text()
    assert said in (kept / 'index.html').read_text()
    with (kept / 'runs.csv').open() as file:
        machines = {row['run']: row['hardware'] for row in csv.DictReader(file)}
    assert machines['conv_seed1'] == 'some CPU, 2 threads, bfloat16'
    assert machines['conv_seed0'] == 'some CPU, 2 threads'
    for path in (kept / 'study.json', *kept.glob('runs/*/config.json')):
        about = json.loads(path.read_text())
        about['recipe']['optim_wrapper']['type'] = 'OptimWrapper'  # float32 on every machine
        path.write_text(json.dumps(about))
    write_report(kept)
    assert ', bfloat16' not in (kept / 'table.md').read_text()


HOSTILE = '<script>alert(1)</script> | $x ![](http://a) `b`'


def test_the_page_loads_nothing_and_shows_labels_as_they_are(kept):
    study = json.loads((kept / 'study.json').read_text())
    study['networks']['conv']['label'] = study['title'] = HOSTILE
    (kept / 'study.json').write_text(json.dumps(study))
    write_report(kept)
    page, table = ((kept / name).read_text() for name in ('index.html', 'table.md'))
    pictures = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(pictures) == 6 and all((kept / name).stat().st_size > 1000 for name in pictures)
    assert 'http' not in page.replace('![](http://a)', '') and '@import' not in page
    assert '52.00 ± 2.00' in page and 'not run' in page
    assert page.count('<script>') == 1 and '&lt;script&gt;alert(1)' in page
    assert '<script>' not in table and '![' not in table
    lines = [line for line in table.splitlines() if line.startswith('|')]
    assert {line.count('|') - line.count('\\|') for line in lines} == {10}


def damaged(text):
    """Every value of a record is replaced by values of other kinds, one at a time."""
    whole = json.loads(text)
    inner = [(key, k) for key in whole if isinstance(whole[key], dict) for k in whole[key]]
    for *outer, key in [*((key,) for key in whole), *inner]:
        for value in (None, [], 'x', -1, 1e400):
            changed = json.loads(text)
            (changed[outer[0]] if outer else changed)[key] = value
            yield json.dumps(changed)


@pytest.mark.parametrize('name', ['result.json', 'config.json', 'scalars.json'])
def test_one_damaged_run_does_not_stop_the_report(kept, name):
    path = kept / 'runs/conv-glorot_seed0' / name
    whole = path.read_text()
    for text in damaged(whole.splitlines()[0] if name == 'scalars.json' else whole):
        path.write_text(text + '\n')
        assert len(load_results(kept).networks) >= 2


def test_damaged_samples_do_not_stop_the_report(kept, monkeypatch):
    monkeypatch.setattr('sacm_mm.studies.samples.save_figure', lambda *args, **kwargs: None)
    path = kept / 'runs/conv_seed0/samples.json'
    results = load_results(kept)
    for text in damaged(path.read_text()):
        path.write_text(text)
        with suppress(UserError):
            draw_samples(results, kept / 'samples.webp')


def test_long_names_leave_no_gap_between_the_samples(kept, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        'sacm_mm.studies.samples.save_figure', lambda f, *args, **kw: drawn.append(f)
    )
    study = json.loads((kept / 'study.json').read_text())
    for network in study['networks'].values():
        network['label'] = 'a network with a name that is wider than three pictures and a half'
    (kept / 'study.json').write_text(json.dumps(study))
    draw_samples(load_results(kept), kept / 'samples.webp')
    drawn[0].draw_without_rendering()
    first, second = (axes.get_window_extent() for axes in drawn[0].axes[:2])
    assert second.x0 - first.x1 < 0.1 * first.width


@pytest.mark.parametrize('name', ['costs.json', 'failed.json'])
@pytest.mark.parametrize('content', ['', '{', '[[1]]', '{"networks": {"conv": {"macs": "x"}}}'])
def test_other_damage_does_not_stop_the_report(kept, name, content):
    (kept / name).write_text(content)
    results = load_results(kept)
    assert 'damaged' in dict(results.left_out)[name]
    assert len(results.networks) == 3


def test_costs_of_another_size_or_network_are_left_out(kept):
    """A study whose size or network was changed showed the costs of before beside them."""
    costs = json.loads((kept / 'costs.json').read_text())
    models = {
        name: model_mark(entry['model'])
        for name, entry in json.loads((kept / 'study.json').read_text())['networks'].items()
    }
    write_json({**costs, 'models': models}, kept / 'costs.json')
    assert all(network.costs for network in load_results(kept).networks)
    for change in ({'size': [180, 240]}, {'models': {**models, 'conv': 'another'}}):
        write_json({**costs, 'models': models, **change}, kept / 'costs.json')
        results = load_results(kept)
        assert not any(network.costs for network in results.networks)
        assert 'sacm study run measures them anew' in dict(results.left_out)['costs.json']


def test_a_damaged_picture_is_named_in_the_report(kept):
    (kept / 'samples/image.webp').write_bytes(b'')
    assert 'image.webp' in dict(write_report(kept).left_out)['samples']


def test_a_damaged_study_is_named(kept):
    (kept / 'study.json').write_text('{"rows": {}}')
    with pytest.raises(UserError, match=r'study.json. is damaged: name is None'):
        write_report(kept)


def test_the_front_of_best_trades():
    points = [(1, 10), (2, 9), (2, 12), (3, 12), (4, 20)]
    assert pareto_front(points, higher_is_better=True) == [0, 2, 4]
    assert pareto_front([(1, 0.5), (2, 0.4), (3, 0.45)], higher_is_better=False) == [0, 1]
