"""The official .mat files of NYU Depth v2, small ones of the same structure, become a data set."""

import subprocess

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

H, W = 24, 32
CLASSES40 = [1, 40, 39, 7]  # of the labels 1 to 4: wall, other prop, other furniture, table

DEPTHS = np.full((4, W, H), -5, np.float32)
DEPTHS[:, 0, 0] = 9


@pytest.fixture(scope='module')
def truth():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, H * W * 3).reshape(H, W, 3)  # smooth, so that JPEG keeps it
    images = np.stack([np.roll(ramp, 7 * i, axis=1) for i in range(4)]).astype(np.uint8)
    depths = rng.uniform(0.7, 9.9, (4, H, W)).astype(np.float32)
    labels = rng.integers(0, 5, (4, H, W)).astype(np.uint16)
    return images, depths, labels


@pytest.fixture
def mats(tmp_path, truth):
    """Files with MATLAB's reversed axes; image 2 (from 0) is in neither split."""
    images, depths, labels = truth
    with h5py.File(tmp_path / 'nyu.mat', 'w') as file:
        file['images'] = images.transpose(0, 3, 2, 1)
        file['depths'] = depths.transpose(0, 2, 1)
        file['labels'] = labels.transpose(0, 2, 1)
    splits = {'trainNdxs': np.array([[2], [4]], np.uint16), 'testNdxs': np.array([[1]], np.uint16)}
    scipy.io.savemat(tmp_path / 'splits.mat', splits)
    scipy.io.savemat(tmp_path / 'map.mat', {'mapClass': np.array([CLASSES40], np.uint8)})
    return tmp_path


@pytest.fixture
def prepare(run_tool, mats):
    def run(*options, mat='nyu.mat'):
        return run_tool(
            'prepare_data', 'nyu', mats / mat, '--splits', mats / 'splits.mat', '--out',
            mats / 'data', *options,
        )  # fmt: skip

    return run


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_images_depth_and_classes(prepare, mats, truth):
    done = prepare('--classes40', mats / 'map.mat')
    root = mats / 'data/nyu'
    assert done.code == 0
    assert done.out.splitlines()[-1] == str(root)
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob('*') if p.is_file())
    assert names == sorted(
        f'{kind}/{name}{suffix}'
        for kind, suffix in (('images', '.jpg'), ('annotations', '.png'), ('labels40', '.png'))
        for name in ('train/0001', 'train/0003', 'test/0000')
    )
    images, depths, labels = truth
    classes = np.array([255, 0, 255, 38, 6])  # 0 is unlabelled
    for name, index in (('train/0001', 1), ('train/0003', 3), ('test/0000', 0)):
        image = read(root / f'images/{name}.jpg')[..., ::-1].astype(int)
        assert np.abs(image - images[index]).mean() < 4
        depth = read(root / f'annotations/{name}.png')
        assert depth.dtype == np.uint16
        assert np.array_equal(depth, np.round(1000 * depths[index]))
        assert np.array_equal(read(root / f'labels40/{name}.png'), classes[labels[index]])
    assert [p.name for p in (mats / 'data').iterdir()] == ['nyu']


def test_without_class_mapping_there_are_no_masks(prepare, mats):
    assert prepare().code == 0
    assert {p.name for p in (mats / 'data/nyu').iterdir()} == {'images', 'annotations'}


def test_an_existing_folder_is_left_alone(prepare, mats):
    (mats / 'data/nyu').mkdir(parents=True)
    (mats / 'data/nyu/mine.txt').write_text('kept')
    assert f"'{mats}/data/nyu' exists: move it away" in prepare().error
    assert (mats / 'data/nyu/mine.txt').read_text() == 'kept'


def spoil(path, **datasets):
    with h5py.File(path, 'r+') as file:
        for name, value in datasets.items():
            del file[name]
            if value is not None:
                file[name] = value


@pytest.mark.parametrize(
    ('spoilt', 'culprit'),
    [
        ({'depths': None}, "has no 'depths'"),
        ({'images': np.zeros((4, H, W, 3), np.uint8)}, "'images' of"),
        ({'labels': np.full((4, W, H), 9, np.uint16)}, 'has the label 9, but the class mapping'),
        ({'depths': np.full((4, W, H), 900.0, np.float32)}, 'are not metres'),
        ({'depths': np.ones((3, W, H), np.float32)}, 'the split asks for number 4'),
        ({'depths': np.zeros((4, W, H), np.float32)}, 'reach from 0 to 0 and are not metres'),
        ({'depths': np.full((4, W, H), 1e-4, np.float32)}, 'and are not metres'),
        ({'depths': -DEPTHS}, 'reach from -9 to 5 and are not metres'),
        ({'depths': np.ones((4, W, H), np.int32)}, "'depths' of"),
        ({'depths': np.ones((4, H, W), np.float32)}, f'are {H}x{W}, its images {W}x{H}'),
        ({'labels': np.ones((4, W, H // 2), np.uint16)}, f'are {W}x{H // 2}, its images {W}x{H}'),
        ({'labels': np.full((4, W, H), -1, np.int16)}, 'has the label -1: labels count from 0'),
        ({'labels': np.ones((4, W, H), np.float32)}, 'are float32'),
        ({'images': np.zeros((4, 3, W, H), np.float32)}, 'are float32'),
    ],
)
def test_other_files_are_refused_and_nothing_is_left(prepare, mats, spoilt, culprit):
    spoil(mats / 'nyu.mat', **spoilt)
    error = prepare('--classes40', mats / 'map.mat').error
    assert culprit in error
    assert str(mats / 'nyu.mat') in error
    assert not list(mats.glob('data/*')) and not list(mats.glob('data/.*'))


@pytest.mark.parametrize(
    ('train', 'test', 'twice'),
    [
        ([2, 4], [1, 4], 'image 4 in train and in test'),
        ([2, 2], [1], 'image 2 in train and in train'),
    ],
)
def test_splits_that_overlap_are_refused(prepare, mats, train, test, twice):
    splits = {'trainNdxs': np.array(train, np.uint16), 'testNdxs': np.array(test, np.uint16)}
    scipy.io.savemat(mats / 'splits.mat', splits)
    assert f"splits.mat' has {twice}" in prepare().error
    assert not (mats / 'data').exists()


def test_what_a_killed_run_left_is_removed(prepare, mats):
    done = subprocess.Popen(['true'])
    done.wait()
    left = mats / f'data/.nyu.{done.pid}.partial/images'
    left.mkdir(parents=True)
    assert prepare().code == 0
    assert [p.name for p in (mats / 'data').iterdir()] == ['nyu']


def test_data_that_lie_in_another_file_are_refused(prepare, mats):
    (mats / 'secret').write_bytes(bytes(range(256)) * 64)
    with h5py.File(mats / 'nyu.mat', 'r+') as file:
        del file['images']
        outside = [(str(mats / 'secret'), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset('images', (4, 3, W, H), np.uint8, external=outside)
    assert "its 'images' lie in another file" in prepare().error
    assert not (mats / 'data').exists()


def test_files_that_are_not_mat(prepare, mats):
    assert "'splits.mat' is damaged or not HDF5" in prepare(mat='splits.mat').error.replace(
        f'{mats}/', ''
    )
    assert 'none.mat' in prepare(mat='none.mat').error
    assert "has no 'mapClass'" in prepare('--classes40', mats / 'splits.mat').error
    assert 'damaged or not a .mat file' in prepare('--classes40', mats / 'nyu.mat').error
    (mats / 'splits.mat').write_bytes((mats / 'splits.mat').read_bytes()[:150])
    assert "splits.mat' is damaged" in prepare().error
    assert not (mats / 'data').exists()
