"""CamVid's splits, together."""

import shutil

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import DATASETS, init_default_scope
from mmseg.datasets.transforms import LoadAnnotations

from sacm_mm import UserError
from sacm_mm.core.configs import load_config
from sacm_mm.datasets import CamVidDataset
from sacm_mm.datasets.seeding import seed_pipeline


def _dataset(root, monkeypatch, **change):
    monkeypatch.setenv('SACM_DATA', str(root))
    cfg = load_config('sacm_camvid_long').train_dataloader.dataset
    cfg.update(change)
    init_default_scope('mmseg')
    return DATASETS.build(cfg)


def test_other_folders_follow_the_first(camvid_root, monkeypatch):
    dataset = _dataset(camvid_root, monkeypatch)
    paths = [dataset.get_data_info(i) for i in range(len(dataset))]
    folders = [info['img_path'].split('/')[-2] for info in paths]
    assert folders == ['train'] * 4 + ['val'] * 4
    assert all('annot/' in info['seg_map_path'] for info in paths)
    assert all(info['label_map'] == {11: 255} for info in paths)
    assert dataset.data_prefix['img_path'].endswith('train')
    assert seed_pipeline(dataset)  # a run of it resumes exactly


def test_a_missing_folder_is_named(camvid_root, monkeypatch):
    with pytest.raises(UserError, match='videos'):
        _dataset(camvid_root, monkeypatch, also=dict(img_path='videos', seg_map_path='valannot'))


NAMED = {
    'class': lambda kind: kind,
    'path': lambda kind: f'{kind.__module__}.{kind.__name__}',
    'scope': lambda kind: f'{kind.__module__.partition(".")[0]}.{kind.__name__}',
}


@pytest.mark.parametrize('named', NAMED.values(), ids=NAMED)
def test_masks_are_checked_where_a_config_names_classes(camvid_root, tmp_path, named):
    """As configs with lazy imports do, and what is written of them into a work dir."""
    init_default_scope('mmseg')
    shutil.copytree(camvid_root / 'camvid', tmp_path / 'camvid')
    mask = min((tmp_path / 'camvid/valannot').iterdir())
    cv2.imwrite(str(mask), np.full_like(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED), 77))
    dataset = CamVidDataset(
        data_root=str(tmp_path / 'camvid'),
        data_prefix=dict(img_path='val', seg_map_path='valannot'),
        pipeline=[dict(type=named(LoadImageFromFile)), dict(type=named(LoadAnnotations))],
    )
    with pytest.raises(UserError, match=f"'.*{mask.name}' holds the value 77"):
        dataset[0]
