"""What a test says of figures that are none."""

import cv2
import numpy as np
import torch
from conftest import CAMVID, TINY_CAMVID
from mmseg.evaluation import IoUMetric

from sacm_mm.engine.class_figures import _not_figures


def test_classes_that_never_occur_and_truth_that_is_all_ignored(
    test, run_tool, trained, data, tmp_path
):
    for mask in (data / 'testannot').iterdir():
        cv2.imwrite(str(mask), np.full((48, 64), 255, np.uint8))
    done = test()
    assert done.code == 0, done.err
    log = next((tmp_path / 'work').glob('*/*.log')).read_text()
    assert 'mIoU is not a number: nothing that counts' in log
    for mask in (data / 'testannot').iterdir():
        cv2.imwrite(str(mask), np.full((48, 64), 3, np.uint8))
    again = tmp_path / 'again'
    done = run_tool('test', CAMVID, trained, '--work-dir', again, '--cfg-options', *TINY_CAMVID)
    assert done.code == 0, done.err
    log = next(again.glob('*/*.log')).read_text()
    assert 'mAcc is the mean over 1 of 11 classes; those that are in no truth are left out: ' in log


def test_a_class_that_is_predicted_and_in_no_truth_counts_in_some_means():
    area = torch.tensor
    found = IoUMetric.total_area_to_metrics(
        area([5.0, 0, 0, 0]), area([7.0, 2, 0, 3]), area([5.0, 2, 0, 0]), area([7.0, 0, 0, 3]),
        ['mIoU', 'mFscore'],
    )  # fmt: skip
    named = {
        key: dict(zip('abcd', (None if np.isnan(v) else v for v in values)))
        for key, values in found.items()
        if key != 'aAcc'
    }
    assert [line.partition('of 4 ')[2] for line in _not_figures({}, named)] == [
        'classes; those that are in no truth and no prediction are left out: c',
        'classes; those that are in no truth are left out: b, c',
        'classes; those that are never found are left out: b, c, d',
        'classes; those that are in no prediction are left out: c, d',
        'classes; those that are in no truth are left out: b, c',
    ]
