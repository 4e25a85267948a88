"""CIFAR-10 in its two layouts, and files that want more than to be read."""

import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from sacm_mm import UserError
from sacm_mm.datasets.cifar10 import CIFAR10Dataset

BATCH = 'cifar-10-batches-py/test_batch'


@pytest.fixture
def root(cifar_root, tmp_path):
    """A copy of the archive that a test may spoil."""
    shutil.copytree(cifar_root / 'cifar10', tmp_path / 'cifar10')
    return tmp_path / 'cifar10'


def test_class_folders_hold_the_same_as_the_archive(root):
    archive = CIFAR10Dataset(data_root=str(root), split='test')
    samples = sorted((archive[i] for i in range(len(archive))), key=lambda s: s['gt_label'])
    names = archive.metainfo['classes']
    for name in names:
        (root / 'test' / name).mkdir(parents=True)
    for i, sample in enumerate(samples):
        rgb = Image.fromarray(sample['img'][..., ::-1])
        rgb.save(root / 'test' / names[sample['gt_label']] / f'{i:04d}.png')
    folders = CIFAR10Dataset(data_root=str(root), split='test')
    assert [s['gt_label'] for s in folders] == [s['gt_label'] for s in samples]
    for found, expected in zip(folders, samples, strict=True):
        assert np.array_equal(found['img'], expected['img'])


def test_every_tenth_training_picture_can_be_held_out(root):
    train, rest, val = (
        [sample['img'].tobytes() for sample in CIFAR10Dataset(data_root=str(root), split=split)]
        for split in ('train', 'train_without_val', 'val')
    )
    assert val == train[::10] and len(val) > 1
    assert sorted(val + rest) == sorted(train)


def test_missing_data_names_the_command(tmp_path):
    with pytest.raises(UserError, match=r'make_sample_data\.py cifar10'):
        CIFAR10Dataset(data_root=str(tmp_path))


def test_wrong_class_folders(root):
    (root / 'test/aeroplane').mkdir(parents=True)
    with pytest.raises(UserError, match='aeroplane'):
        CIFAR10Dataset(data_root=str(root), split='test')


class Trap:
    """Unpickles to a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_pickle_that_wants_to_run_code_is_refused(root, tmp_path):
    (root / BATCH).write_bytes(pickle.dumps({'data': Trap(tmp_path / 'ran'), 'labels': []}))
    with pytest.raises(UserError, match=r'test_batch.*io\.open'):
        CIFAR10Dataset(data_root=str(root), split='test')
    assert not (tmp_path / 'ran').exists()


def test_a_truncated_batch_is_named(root):
    content = (root / BATCH).read_bytes()
    (root / BATCH).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match='test_batch'):
        CIFAR10Dataset(data_root=str(root), split='test')
