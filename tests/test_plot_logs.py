"""Learning curves: what is read from mmengine's logs, and what the tool writes."""

import csv
import json
import math

import numpy as np
import pytest
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.core.run_log import joined_scalars, read_scalars
from sacm_mm.visualization.curves import choose_keys, draw_curves, name_runs, running_mean


def train_row(step, loss, **more):
    return {'lr': 1e-3, 'data_time': 0.1, 'loss': loss, 'time': 0.4, **more, 'iter': step,
            'step': step}  # fmt: skip


def val_row(step, **metrics):
    return {**metrics, 'data_time': 9.0, 'time': 9.0, 'step': step}


def write_log(work_dir, *rows, start='20260101_000000', end=''):
    log = work_dir / start / 'vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows) + end)
    return log


def points(path, key):
    return read_scalars(path)[key].points


@pytest.fixture
def run(tmp_path):
    """A segmentation run: counted in iterations throughout."""
    rows = [train_row(50 * i, 2 / i) for i in range(1, 61)]
    rows += [val_row(1500, aAcc=50.0, mIoU=20.0), val_row(3000, aAcc=70.0, mIoU=40.0)]
    write_log(tmp_path / 'run', *rows)
    return tmp_path / 'run'


def test_the_log_is_found_from_work_dir_timestamp_folder_and_file(tmp_path):
    log = write_log(tmp_path, train_row(10, 2.0), val_row(10, mIoU=30.0))
    for path in (tmp_path, log.parents[1], log):
        assert points(path, 'loss') == {10: 2.0}
        assert points(path, 'mIoU') == {10: 30.0}
        assert points(path, 'time') == {10: 0.4}  # not that of validation


def test_a_resumed_run_is_joined_and_the_later_start_wins(tmp_path):
    write_log(tmp_path, train_row(1, 9.0), train_row(2, 8.0), val_row(2, mIoU=1.0),
              train_row(3, 7.0), train_row(4, 6.0), val_row(4, mIoU=2.0))  # fmt: skip
    write_log(tmp_path, train_row(3, 5.0), start='20260102_000000')  # resumed from step 2, killed
    (tmp_path / '20260103_000000').mkdir()  # a start that logged nothing
    assert points(tmp_path, 'loss') == {1: 9.0, 2: 8.0, 3: 5.0}
    assert points(tmp_path, 'mIoU') == {2: 1.0}


def test_a_new_training_in_the_same_folder_replaces_the_old(tmp_path):
    write_log(tmp_path, train_row(10, 9.0), train_row(20, 8.0), val_row(20, old=1.0))
    write_log(tmp_path, train_row(10, 5.0), start='20260102_000000')
    assert points(tmp_path, 'loss') == {10: 5.0}
    assert 'old' not in read_scalars(tmp_path)


def test_validation_by_epoch_is_counted_in_epochs(tmp_path):
    key = 'accuracy/top1'
    write_log(tmp_path, *[train_row(100 * e, 1.0, epoch=e) for e in (1, 2, 3)],
              *[val_row(e, **{key: 30.0 * e}) for e in (1, 2, 3)])  # fmt: skip
    write_log(tmp_path, train_row(300, 0.5, epoch=3), start='20260102_000000')
    run = read_scalars(tmp_path)
    assert (run['loss'].unit, run['loss'].points) == ('iteration', {100: 1.0, 200: 1.0, 300: 0.5})
    assert (run[key].unit, run[key].points) == ('epoch', {1: 30.0, 2: 60.0})
    axis = draw_curves({'a': run}, [key]).axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('epoch', 'accuracy/top1 (%)')


def test_a_broken_last_line_is_skipped_with_a_note(tmp_path, capsys):
    write_log(tmp_path, train_row(10, 2.0), end='{"lr": 0.0')
    assert points(tmp_path, 'loss') == {10: 2.0}
    assert 'scalars.json' in capsys.readouterr().err


def test_a_loss_that_is_not_a_number_is_kept_as_a_gap(tmp_path):
    write_log(tmp_path, *[train_row(i, math.nan if i == 30 else 1.0) for i in range(1, 60)])
    run = read_scalars(tmp_path)
    assert math.isnan(run['loss'].points[30])
    smooth = draw_curves({'a': run}, ['loss']).axes[0].lines[1].get_ydata()
    assert np.isnan(smooth).sum() == 1
    assert np.nanmax(np.abs(smooth - 1)) < 1e-12


def test_running_mean_is_symmetric_and_keeps_the_start():
    line = np.arange(9.0)
    assert running_mean(line, 5).tolist() == [0, 1, 2, 3, 4, 5, 6, 6.5, 7]


@pytest.mark.parametrize(
    ('files', 'message'),
    [
        ({}, r'no log in .*give the work dir'),
        ({'t/vis_data/scalars.json': ''}, 'is empty'),
        ({'t/vis_data/scalars.json': 'hello\n'}, 'line 1 is no JSON object'),
        ({'t/vis_data/scalars.json': '{"step": 1}\n[]\n{"step": 2}\n'}, 'line 2 is no JSON object'),
    ],
)
def test_a_folder_without_a_usable_log_is_a_user_error(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_scalars(tmp_path)


def test_runs_are_named_by_as_much_of_their_path_as_tells_them_apart(tmp_path):
    log = tmp_path / 'a/x/20260101/vis_data/scalars.json'
    assert name_runs([tmp_path / 'a/x', tmp_path / 'a/y']) == ['x', 'y']
    assert name_runs([tmp_path / 'a/x', tmp_path / 'b/x']) == ['a/x', 'b/x']
    assert name_runs([log, tmp_path / 'a/x']) == ['20260101', 'x']
    with pytest.raises(UserError, match='given twice'):
        name_runs([tmp_path, tmp_path / 'a' / '..'])


def test_keys_are_the_loss_and_the_validation_figures_unless_told(run):
    runs = {'run': read_scalars(run)}
    assert choose_keys(runs) == ['loss', 'aAcc', 'mIoU']
    assert choose_keys(runs, ['lr', 'mIoU']) == ['lr', 'mIoU']


def test_figures_counted_differently_are_not_drawn_together(tmp_path):
    write_log(tmp_path / 'a', train_row(10, 1.0, epoch=1), *(val_row(n, mIoU=1.0) for n in (1, 2)))
    write_log(tmp_path / 'b', train_row(10, 1.0), *(val_row(n, mIoU=1.0) for n in (10, 20)))
    runs = {name: read_scalars(tmp_path / name) for name in 'ab'}
    with pytest.raises(UserError, match='a by epoch, b by iteration'):
        choose_keys(runs)


def test_a_figure_that_was_measured_once_is_no_curve(tmp_path):
    write_log(tmp_path, train_row(10, 1.0), train_row(20, 1.0), val_row(20, mIoU=1.0))
    runs = {'a': read_scalars(tmp_path)}
    assert choose_keys(runs) == ['loss']
    assert choose_keys(runs, ['mIoU']) == ['mIoU']


def test_tool_writes_picture_and_table(run_tool, run, tmp_path):
    write_log(tmp_path / 'other', train_row(10, 2.5))
    out, table = tmp_path / 'deep/curves.png', tmp_path / 'deep/curves.csv'
    done = run_tool('plot_logs', run, tmp_path / 'other', '--out', out, '--csv', table)
    assert (done.code, done.out.split()) == (0, [str(out)])
    with Image.open(out) as picture:
        assert np.array(picture.convert('L')).std() > 5
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 + 2 + 2 + 1
    assert rows[0] == {'run': 'run', 'step': '50', 'key': 'loss', 'value': '2.0'}
    assert rows[-1] == {'run': 'other', 'step': '10', 'key': 'loss', 'value': '2.5'}
    assert sorted(path.name for path in out.parent.iterdir()) == ['curves.csv', 'curves.png']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere', '--out', 'a.png'], "run 'nowhere' does not exist"),
        (['run', '--out', 'a.png', '--keys', 'miou'], "no run logs 'miou': choose from aAcc, data"),
        (['run', '--out', 'a.xyz'], 'its name must end in .'),
        (['run', '--out', 'run'], 'it is a folder'),
        (['run', '--out', 'a.png', '--csv', 'file/a.csv'], "file' is a file"),
        (['run', 'run', '--out', 'a.png'], 'given twice'),
        (['run', '--out', 'a.png', '--csv', 'a.png'], "let 'a.png' end in .csv"),
        (['run', '--out', 'a.png', '--csv', 'run/scalars.json'], 'end in .csv'),  # of a run
    ],
)
def test_mistakes_end_the_tool_with_one_line_and_nothing_written(
    run_tool, run, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / 'file').touch()
    before = sorted(tmp_path.rglob('*'))
    monkeypatch.chdir(tmp_path)
    assert message in run_tool('plot_logs', *arguments).error
    assert sorted(tmp_path.rglob('*')) == before


def test_a_start_that_begins_with_a_validation_drops_no_steps_before_it(tmp_path):
    # of a training in epochs the row of a validation has the number of an epoch
    first = write_log(tmp_path, *(train_row(i, 1.0, epoch=1 + i // 3) for i in (1, 2, 3, 4)))
    rows = val_row(1, mIoU=2.0), train_row(3, 0.5, epoch=2)
    second = write_log(tmp_path, *rows, start='20260102_000000')
    joined = [json.loads(line) for line in joined_scalars([first, second])]
    assert [row['step'] for row in joined] == [1, 2, 1, 3]
