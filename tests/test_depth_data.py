"""The depth data sets read the layouts of the real ones, and name what is missing."""

import shutil

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, init_default_scope
from mmseg.datasets import ADE20KDataset, CityscapesDataset
from sample_data.layouts import ADE20K_NAMES, CITYSCAPES_IDS, WRITERS, Sizes
from sample_data.room import NYU_DRAWN, render_room
from sample_data.street import render_street

from sacm_mm.core.errors import UserError

LOAD = {
    'NYUDataset': dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3),
    'KITTIDepthDataset': dict(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1 / 256),
    'CityscapesDepthDataset': dict(type='sacm_mm.LoadCityscapesDepth'),
}
NYU = dict(img_path='images/train', depth_map_path='annotations/train')
KITTI = dict(img_path='raw', depth_map_path='gt_depth')
CITYSCAPES = dict(
    img_path='leftImg8bit/train', depth_map_path='disparity/train', camera_path='camera/train'
)


@pytest.fixture
def root(tmp_path):
    """All three sets, 3 training and 2 test images of 48x64 pixels."""
    for name in ('nyu', 'kitti', 'cityscapes'):
        WRITERS[name](tmp_path, sizes=Sizes(train=3, val=2, size=(48, 64)))
    return tmp_path


def build(name, root, **settings):
    init_default_scope('mmseg')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), LOAD[name]]
    return DATASETS.build(
        dict(type=f'sacm_mm.{name}', data_root=str(root), pipeline=pipeline, **settings)
    )


def refusal(*args, **kwargs):
    with pytest.raises(UserError) as refused:
        build(*args, **kwargs)
    assert '\n' not in str(refused.value)
    return str(refused.value)


def test_nyu_is_the_drawn_depth(root):
    dataset = build('NYUDataset', root / 'nyu', data_prefix=NYU)
    assert len(dataset) == 3
    for index, sample in enumerate(dataset):
        drawn = render_room(np.random.default_rng((0, index)), 48, 64)
        np.testing.assert_allclose(sample['gt_depth_map'], drawn.depth, atol=5.1e-4)
        assert 'gt_seg_map' not in sample


def test_nyu_has_masks_where_they_are_named(root):
    prefix = {**NYU, 'seg_map_path': 'labels40/train'}
    dataset = build('NYUDataset', root / 'nyu', data_prefix=prefix)
    for index, sample in enumerate(dataset):
        drawn = render_room(np.random.default_rng((0, index)), 48, 64)
        assert np.array_equal(sample['gt_seg_map'], drawn.labels)
        assert sorted(sample['seg_fields']) == ['gt_depth_map', 'gt_seg_map']


def test_nyu_has_39_classes():
    meta = build('NYUDataset', '', data_prefix=NYU, lazy_init=True).metainfo
    assert len(meta['classes']) == len(set(meta['classes'])) == 39
    assert len({tuple(colour) for colour in meta['palette']}) == 39
    drawn = {name: label for name, label in NYU_DRAWN.items() if label != 255}
    assert {name: meta['classes'].index(name) for name in drawn} == drawn


def test_drawn_classes_are_those_of_the_real_sets():
    alias = {
        'pavement': 'sidewalk', 'tree': 'vegetation', 'signsymbol': 'traffic sign',
        'pedestrian': 'person', 'bicyclist': 'rider',
    }  # fmt: skip
    classes = CityscapesDataset.METAINFO['classes']
    assert {k: classes.index(alias.get(k, k)) for k in CITYSCAPES_IDS} == CITYSCAPES_IDS
    alias = {
        'pavement': 'sidewalk', 'signsymbol': 'signboard', 'pedestrian': 'person',
        'bicyclist': 'bicycle', 'pottedplant': 'plant', 'sheep': 'animal',
    }  # fmt: skip
    classes = ADE20KDataset.METAINFO['classes']
    assert {k: classes.index(alias.get(k, k)) + 1 for k in ADE20K_NAMES} == ADE20K_NAMES


def test_cityscapes_depth_is_the_drawn_depth(root):
    dataset = build('CityscapesDepthDataset', root / 'cityscapes', data_prefix=CITYSCAPES)
    assert len(dataset) == 3
    for index, sample in enumerate(dataset):
        drawn = render_street(np.random.default_rng((0, index)), 48, 64).depth
        depth = sample['gt_depth_map']
        valid = depth > 0
        assert 0.3 < valid.mean() < 1
        assert not valid[drawn >= 80].any()
        disparity = 0.22 * 1.2 * 48 / drawn[valid]  # of which a step is 1 / 256 pixel
        np.testing.assert_allclose(0.22 * 1.2 * 48 / depth[valid], disparity, atol=1.01 / 512)


def test_cityscapes_disparity_needs_no_camera(root):
    shutil.rmtree(root / 'cityscapes/camera')
    settings = dict(data_prefix=CITYSCAPES, target='disparity')
    sample = build('CityscapesDepthDataset', root / 'cityscapes', **settings)[0]
    path = next((root / 'cityscapes/disparity/train').rglob('*000000_000019_disparity.png'))
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(float)
    np.testing.assert_allclose(sample['gt_depth_map'], np.maximum((stored - 1) / 256, 0), atol=1e-5)
    error = refusal('CityscapesDepthDataset', root / 'cityscapes', data_prefix=CITYSCAPES)
    assert f"data folder '{root}/cityscapes/camera/train' does not exist" in error


def test_kitti_is_sparse_and_images_without_depth_are_left_out(root):
    settings = dict(data_prefix=KITTI, ann_file='kitti_eigen_test_files_with_gt.txt')
    lines = (root / 'kitti' / settings['ann_file']).read_text().splitlines()
    dataset = build('KITTIDepthDataset', root / 'kitti', **settings)
    assert (len(lines), len(dataset)) == (3, 2)
    for index, sample in enumerate(dataset):
        rng = np.random.default_rng((0, index + 3))  # after 3 training images
        drawn = render_street(rng, 48, 64).depth
        valid = sample['gt_depth_map'] > 0
        assert 0 < valid.mean() < 0.5
        np.testing.assert_allclose(sample['gt_depth_map'][valid], drawn[valid], atol=1.01 / 512)


# ------------------------------------------ what is missing is named


@pytest.mark.parametrize(
    ('name', 'folder', 'settings', 'part'),
    [
        ('NYUDataset', 'nyu', dict(data_prefix=NYU), 'annotations/train'),
        ('CityscapesDepthDataset', 'cityscapes', dict(data_prefix=CITYSCAPES), 'disparity/train'),
        (
            'KITTIDepthDataset', 'kitti',
            dict(data_prefix=KITTI, ann_file='kitti_eigen_train_files_with_gt.txt'), 'gt_depth',
        ),
    ],
)  # fmt: skip
def test_missing_folders_and_files_are_named(root, name, folder, settings, part):
    maps = sorted((root / folder / part).rglob('*.png'))
    maps[0].unlink()
    error = refusal(name, root / folder, **settings)
    assert 'depth map of image' in error
    assert f"'{maps[0]}' does not exist" in error
    shutil.rmtree(root / folder / part)
    error = refusal(name, root / folder, **settings)
    assert f"data folder '{root}/{folder}/{part}' does not exist" in error
    assert f'python tools/make_sample_data.py {folder}' in error
    assert 'SACM_DATA' in error


def test_disparity_without_its_camera_file(root):
    camera = min((root / 'cityscapes/camera/train').rglob('*.json'))
    camera.unlink()
    error = refusal('CityscapesDepthDataset', root / 'cityscapes', data_prefix=CITYSCAPES)
    assert 'camera file of image' in error
    assert f"'{camera}' does not exist" in error


def test_masks_that_are_named_must_exist(root):
    prefix = {**NYU, 'seg_map_path': 'labels40/train'}
    (root / 'nyu/labels40/train/0001.png').unlink()
    assert 'mask of image' in refusal('NYUDataset', root / 'nyu', data_prefix=prefix)


def test_unknown_target(root):
    error = refusal('CityscapesDepthDataset', root / 'cityscapes', data_prefix={}, target='metres')
    assert "target 'metres' does not exist: choose depth or disparity" in error


def test_folder_that_is_not_named(root):
    prefix = {k: v for k, v in CITYSCAPES.items() if k != 'camera_path'}
    error = refusal('CityscapesDepthDataset', root / 'cityscapes', data_prefix=prefix)
    assert "data_prefix of CityscapesDepthDataset has no 'camera_path'" in error


def test_a_list_of_kitti_without_depth_maps(root):
    path = root / 'kitti/kitti_eigen_train_files_with_gt.txt'
    path.write_text('\n' + path.read_text() + 'an_image.png\n')
    settings = dict(data_prefix=KITTI, ann_file=path.name)
    error = refusal('KITTIDepthDataset', root / 'kitti', **settings)
    assert f"line 5 of '{path}' names no depth map" in error
    path.unlink()
    assert f"image list '{path}' does not exist" in refusal(
        'KITTIDepthDataset', root / 'kitti', **settings
    )
