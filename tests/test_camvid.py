"""CamVid's splits, together."""

import pytest
from mmengine.registry import DATASETS, init_default_scope

from sacm_mm import UserError
from sacm_mm.core.configs import load_config
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
