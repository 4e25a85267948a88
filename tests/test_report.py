"""``sacm test --report``: the right numbers, on a page that escapes names."""

import csv
import json

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from sacm_mm import UserError
from sacm_mm.evaluation.report_figures import (
    DepthRanges,
    calibration_rows,
    class_rows,
    confusion_of,
    mean_iou,
)
from sacm_mm.evaluation.report_page import Report, page_text, write_report


def test_figures_of_each_class_by_hand():
    truth = np.array([[0, 0, 1, 1], [1, 1, -1, 2]])
    found = np.array([[0, 1, 1, 1], [1, 0, 0, 0]])
    confusion = confusion_of(truth, found, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [1, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    first, second, third, absent = class_rows(confusion, ['a', 'b', 'c', 'd'])
    assert first == {
        'class': 'a', 'IoU': 25.0, 'Dice': 40.0, 'precision': 33.33, 'recall': 50.0,
        'accuracy': 57.14, 'share': 28.57,
    }  # fmt: skip
    assert (second['IoU'], second['recall']) == (60.0, 75.0)
    assert (third['IoU'], third['precision']) == (0.0, None)
    assert (absent['IoU'], absent['Dice'], absent['share']) == (None, None, 0.0)
    assert mean_iou(confusion) == pytest.approx((25 + 60 + 0) / 3, abs=0.01)


def test_a_class_that_is_predicted_and_in_no_truth_counts_as_in_the_hosts_metric():
    counts = np.array([[6, 2, 0], [0, 0, 0], [0, 0, 0]])
    host = IoUMetric.total_area_to_metrics(
        *map(torch.tensor, (np.diag(counts) * 1.0, [8.0, 2, 0], [6.0, 2, 0], [8.0, 0, 0])),
        ['mIoU', 'mDice'],
    )  # fmt: skip
    rows = class_rows(counts, 'abc')
    for key in ('IoU', 'Dice'):
        ours = [np.nan if row[key] is None else row[key] for row in rows]
        np.testing.assert_allclose(ours, 100 * host[key], atol=0.01)
    assert mean_iou(counts) == pytest.approx(100 * np.nanmean(host['IoU']))


def test_depth_by_range_by_hand():
    ranges = DepthRanges()
    truth = np.array([[0.5, 1.5, 0.0, np.nan]])
    assert ranges.add(truth, np.array([[1.0, 1.5, 9.0, 9.0]])) == 0.5
    assert ranges.add(np.zeros((2, 2)), np.ones((2, 2))) is None
    near, far = ranges.rows()
    assert near == {
        'from_m': 0.0, 'to_m': 1.0, 'share': 50.0, 'abs_rel': 1.0, 'rmse_m': 0.5, 'within_1.25': 0.0
    }  # fmt: skip
    assert (far['abs_rel'], far['within_1.25']) == (0.0, 100.0)


def test_calibration_by_hand():
    rows = calibration_rows([0.95, 0.91, 1.0, 0.15], [True, False, True, False])
    assert [(row['pictures'], row['right']) for row in rows] == [(1, 0.0), (3, 66.67)]
    assert rows[1]['confidence'] == pytest.approx(95.33)


def test_page_escapes_names_and_the_folder_is_new(tmp_path):
    name = '<script>alert(1)</script>$x_'
    counts = np.eye(2, dtype=int)
    report = Report(
        'a <b>', {'mIoU': 1.0}, [name, 'b'], class_rows(counts, [name, 'b']), counts,
        pictures=[{'picture': name}, {'picture': 'b', 'mIoU': 1.0}],
        shown=[(name, np.zeros((8, 8, 3), np.uint8))],
    )  # fmt: skip
    assert '<script' not in page_text(report)
    write_report(report, tmp_path / 'out')
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'index.html', 'report.json', 'classes.csv', 'pictures.csv', 'confusion.csv',
                     'confusion.png'}  # fmt: skip
    with pytest.raises(UserError, match='exists and is not overwritten'):
        write_report(report, tmp_path / 'out')


def test_a_test_writes_its_report(test, data, tmp_path):
    out = tmp_path / 'report'
    done = test('--report', out)
    assert done.code == 0, done.err
    assert str(out / 'index.html') in done.out
    content = json.loads((out / 'report.json').read_text())
    # the metric of the host finds the same
    found = [row['IoU'] for row in content['classes'] if row['IoU'] is not None]
    assert np.mean(found) == pytest.approx(content['figures']['mIoU'], abs=0.02)
    assert np.array(content['confusion']['counts']).shape == (11, 11)
    with (out / 'pictures.csv').open() as file:
        assert len(list(csv.DictReader(file))) == 4
    assert (out / 'index.html').read_text().count('<figure>') == 4
    assert 'exists and is not overwritten' in test('--report', out).error


def test_published_models_have_their_names(run_tool, data, tmp_path, monkeypatch):
    """Pages were headed by the name that all their configs have, and logs in a folder of it."""
    monkeypatch.chdir(tmp_path)
    done = run_tool('test', 'camvid_nano', '--report', 'report')
    assert done.code == 0, done.err
    page = (tmp_path / 'report/index.html').read_text()
    assert '<h1>Test of camvid_nano</h1>' in page
    assert {path.name for path in (tmp_path / 'work_dirs').iterdir()} == {'camvid_nano'}
