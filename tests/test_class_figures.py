"""What a test says of figures that are none."""

import cv2
import numpy as np
from conftest import CAMVID, TINY_CAMVID


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
    assert 'mAcc is the mean over 1 of 11 classes: sky, building' in log
