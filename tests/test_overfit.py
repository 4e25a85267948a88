"""The gradient path is right end to end: eight images are learned by heart."""

import json
import os
from pathlib import Path

import pytest
from conftest import LOADERS
from sample_data.layouts import WRITERS, Sizes

LIGHT = Path(__file__).resolve().parents[1] / 'configs/sacm_camvid_light.py'
# The network and the optimiser of the config; eight whole images without augmentation.
OVERFIT = f"""
_base_ = {str(LIGHT)!r}
eight = dict(
    data_prefix=dict(img_path='train', seg_map_path='trainannot'),
    indices=8,
    pipeline={{{{_base_.test_pipeline}}}},
)
train_dataloader = dict(dataset=eight)
val_dataloader = dict(dataset=eight)
model = dict(decode_head=dict(loss_decode=dict(class_weight=None)))
train_cfg = dict(max_iters=200, val_interval=200)
"""


@pytest.mark.slow
def test_eight_images_are_learned_by_heart(run_tool, tmp_path, monkeypatch):
    """On CamVid where $SACM_DATA has it, else on drawn street scenes."""
    if not Path(os.environ.get('SACM_DATA', ''), 'camvid').is_dir():
        WRITERS['camvid'](tmp_path, sizes=Sizes(train=8, val=1, size=(120, 160)))
        monkeypatch.setenv('SACM_DATA', str(tmp_path))
    config = tmp_path / 'overfit.py'
    config.write_text(OVERFIT)
    work = tmp_path / 'work'
    done = run_tool('train', config, '--work-dir', work, '--cfg-options', *LOADERS)
    assert done.code == 0, done.err
    (log,) = work.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert rows[-1]['aAcc'] > 95
