"""Depth loading and the augmentations: what is loaded is true, and stays so."""

import json

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, init_default_scope

import sacm_mm.registry
from sacm_mm.core.errors import UserError

H, W = 40, 60


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')
    np.random.seed(0)


def build(*types, **settings):
    """The one transform, or a function that applies all."""
    steps = [TRANSFORMS.build(dict(type=t) if isinstance(t, str) else t) for t in types]
    steps = steps or [TRANSFORMS.build(settings)]

    def apply(sample):
        for step in steps:
            sample = step(sample)
        return sample

    return apply


@pytest.fixture
def write(tmp_path):
    """Write a PNG and return the sample that names it."""

    def write(pixels, **sample):
        path = tmp_path / 'depth.png'
        assert cv2.imwrite(str(path), pixels)
        return dict(
            depth_map_path=str(path), seg_fields=[], ori_shape=(H, W), img_shape=(H, W), **sample
        )

    return write


# ------------------------------------------ loading


@pytest.mark.parametrize('factor', [1e-3, 1 / 256])
def test_steps_become_metres_and_zero_stays_invalid(write, factor):
    stored = np.arange(H * W, dtype=np.uint16).reshape(H, W) * 27
    load = build(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=factor)
    sample = load(write(stored))
    assert sample['gt_depth_map'].dtype == np.float32
    np.testing.assert_allclose(sample['gt_depth_map'], stored * factor, rtol=1e-6)
    assert sample['seg_fields'] == ['gt_depth_map']


def test_samples_without_truth_pass():
    sample = {'img_path': 'bare.png'}
    for name, settings in (('LoadDepthAnnotation', dict(depth_rescale_factor=1)),
                           ('LoadCityscapesDepth', {}), ('LoadAnnotations', {})):  # fmt: skip
        assert build(type=f'sacm_mm.{name}', **settings)(dict(sample)) == sample


@pytest.mark.parametrize(
    ('pixels', 'culprit'),
    [
        (np.zeros((H, W), np.uint8), 'has pixel format L: it must be one 16-bit channel'),
        (np.zeros((H, W, 3), np.uint8), 'has pixel format RGB'),
        (np.zeros((H, W + 1), np.uint16), f'is 61x40 pixels, but its image is {W}x{H}'),
    ],
)
@pytest.mark.parametrize('name', ['LoadDepthAnnotation', 'LoadCityscapesDepth'])
def test_other_maps_are_refused(write, name, pixels, culprit):
    settings = {} if 'City' in name else dict(depth_rescale_factor=1e-3)
    sample = write(pixels, depth_target='disparity')
    with pytest.raises(UserError) as refused:
        build(type=f'sacm_mm.{name}', **settings)(sample)
    assert culprit in str(refused.value)
    assert f"depth map '{sample['depth_map_path']}'" in str(refused.value)
    assert '\n' not in str(refused.value)


def test_a_truncated_map_is_refused(write, tmp_path):
    sample = write(np.random.default_rng(0).integers(0, 9999, (H, W)).astype(np.uint16))
    path = tmp_path / 'depth.png'
    for content in (path.read_bytes()[:200], b'not a picture'):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"cannot read depth map '{path}'"):
            build(type='sacm_mm.LoadDepthAnnotation', depth_rescale_factor=1e-3)(sample)


@pytest.fixture
def disparity(write, tmp_path):
    """PNG 0 is invalid, 1 is disparity 0; the rest are disparities of 0.25 m * 1000 px / depth."""
    stored = np.zeros((H, W), np.uint16)
    stored[0, :4] = 1, 257, 5121, 12801  # 0, 1, 20 and 50 pixels
    camera = tmp_path / 'camera.json'
    camera.write_text(json.dumps({'extrinsic': {'baseline': 0.25}, 'intrinsic': {'fx': 1000}}))
    return write(stored, camera_path=str(camera))


def test_disparity_becomes_depth(disparity):
    sample = build('sacm_mm.LoadCityscapesDepth')({**disparity, 'depth_target': 'depth'})
    depth = sample['gt_depth_map']
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth[0, :4], [0, 250, 12.5, 5], rtol=1e-6)
    assert not depth[1:].any()


def test_disparity_stays_where_it_is_the_target(disparity):
    del disparity['camera_path']
    sample = build('sacm_mm.LoadCityscapesDepth')({**disparity, 'depth_target': 'disparity'})
    np.testing.assert_allclose(sample['gt_depth_map'][0, :4], [0, 1, 20, 50], rtol=1e-6)
    assert not sample['gt_depth_map'][1:].any()


CAMERA = '{"extrinsic": {"baseline": %s}, "intrinsic": {"fx": %s}}'


@pytest.mark.parametrize(
    'text',
    [
        '{', '{"extrinsic": {"baseline": 0.2}}', '[]', None, CAMERA % (0, 2262.5),
        CAMERA % (0.2, -2262.5), CAMERA % ('NaN', 2262.5), CAMERA % ('"0.2"', 2262.5),
    ],
)  # fmt: skip
def test_a_camera_file_that_says_nothing_is_refused(disparity, tmp_path, text):
    camera = tmp_path / 'camera.json'
    camera.unlink() if text is None else camera.write_text(text)
    with pytest.raises(UserError, match=f"cannot read camera file '{camera}'") as refused:
        build('sacm_mm.LoadCityscapesDepth')({**disparity, 'depth_target': 'depth'})
    assert 'extrinsic.baseline' in str(refused.value)


# ------------------------------------------ augmentation


def sample_of_a_plane(valid=1.0, **more):
    """A picture whose pixels tell where they come from, the depth and the classes alike."""
    y, x = np.mgrid[:H, :W]
    depth = (2 + 0.1 * x + 0.05 * y).astype(np.float32)
    depth[np.random.default_rng(1).random((H, W)) > valid] = 0
    image = np.stack([4 * x, 4 * y, np.zeros_like(x)], axis=2).astype(np.uint8)
    return dict(
        img=image, img_shape=(H, W), ori_shape=(H, W), gt_depth_map=depth,
        gt_seg_map=(x // 4).astype(np.uint8), seg_fields=['gt_seg_map', 'gt_depth_map'], **more,
    )  # fmt: skip


def check_aligned(sample, depth_factor=1.0, tolerance=0.0):
    """Image, classes and depth still tell of the same points."""
    x, y = (sample['img'][..., i].astype(float) / 4 for i in (0, 1))
    depth, labels = sample['gt_depth_map'], sample['gt_seg_map']
    assert depth.shape == labels.shape == sample['img'].shape[:2]
    assert depth.dtype == np.float32
    valid = depth > 0
    assert valid.any()
    wrong = np.abs(depth / depth_factor - (2 + 0.1 * x + 0.05 * y))[valid]
    assert np.median(wrong) <= tolerance + 1e-5
    assert np.quantile(wrong, 0.99) <= 3 * tolerance + 1e-5
    known = valid & (labels != 255)
    assert (np.abs(labels[known] * 4 + 1.5 - x[known]) <= 2 + 20 * tolerance).mean() > 0.97


def test_crop_and_flip_of_the_host_keep_depth_true():
    apply = build(
        dict(type='RandomCrop', crop_size=(24, 32), cat_max_ratio=0.75),
        dict(type='RandomFlip', prob=1.0),
    )
    sample = apply(sample_of_a_plane(valid=0.8))
    assert sample['img'].shape[:2] == (24, 32)
    assert sample['flip']
    check_aligned(sample)


def test_colour_jitter_of_the_host_leaves_depth_alone():
    before = sample_of_a_plane()
    sample = build('PhotoMetricDistortion')(sample_of_a_plane())
    assert not np.array_equal(sample['img'], before['img'])
    for key in ('gt_depth_map', 'gt_seg_map'):
        assert np.array_equal(sample[key], before[key])


@pytest.mark.parametrize(('zoom', 'factor'), [(1.0, 1.0), (1.5, 1 / 1.5), (0.5, 2.0)])
@pytest.mark.parametrize('half', [False, True])
def test_zoom_divides_depth_but_the_base_size_does_not(zoom, factor, half):
    scale = (W // 2, H // 2) if half else (W, H)
    sample = build(
        type='sacm_mm.RandomDepthResize', scale=scale, ratio_range=(zoom, zoom), keep_ratio=True
    )(sample_of_a_plane(valid=0.9))
    assert sample['img'].shape[:2] == (round(zoom * scale[1]), round(zoom * scale[0]))
    # cv2 takes the pixel to the upper left as the nearest
    check_aligned(sample, depth_factor=factor, tolerance=0.25)
    valid = sample['gt_depth_map'][sample['gt_depth_map'] > 0]
    assert valid.min() >= 2 * factor - 1e-4  # nearest: no depth between a measurement and a gap


def test_zoom_multiplies_disparity():
    sample = build(type='sacm_mm.RandomDepthResize', scale=(W, H), ratio_range=(2.0, 2.0))(
        sample_of_a_plane(depth_target='disparity')
    )
    check_aligned(sample, depth_factor=2.0, tolerance=0.15)


def test_rotation_keeps_depth_and_leaves_the_border_invalid():
    sample = build(
        type='sacm_mm.RandomDepthRotate', prob=1.0, degree=(30, 30), pad_val=(255, 255, 255)
    )(sample_of_a_plane())
    assert sample['seg_fields'] == ['gt_seg_map', 'gt_depth_map']
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert sample['gt_depth_map'][corner] == 0
        assert sample['gt_seg_map'][corner] == 255
    # what is in the picture is invalid nowhere, and nothing has the 255 m of the host
    assert np.array_equal(sample['gt_depth_map'] == 0, sample['gt_seg_map'] == 255)
    assert sample['gt_depth_map'].max() < 10
    inside = cv2.erode((sample['gt_depth_map'] > 0).astype(np.uint8), np.ones((5, 5))) > 0
    sample['gt_depth_map'][~inside] = 0  # the image's border is blended
    check_aligned(sample, tolerance=0.1)


def test_no_rotation_changes_nothing():
    before = sample_of_a_plane()
    rotate = build(type='sacm_mm.RandomDepthRotate', prob=0.0, degree=5, pad_val=(0, 0, 0))
    sample = rotate(sample_of_a_plane())
    assert all(np.array_equal(sample[key], before[key]) for key in before)


def test_all_augmentations_together_are_packed():
    apply = build(
        dict(type='sacm_mm.RandomDepthResize', scale=(W, H), ratio_range=(1, 1.5), keep_ratio=True),
        dict(type='sacm_mm.RandomDepthRotate', prob=1.0, degree=5, pad_val=(0, 0, 0)),
        dict(type='RandomCrop', crop_size=(H, W)),
        dict(type='RandomFlip', prob=0.5),
        'PhotoMetricDistortion',
        'PackSegInputs',
    )
    packed = apply(sample_of_a_plane(img_path='a.png'))
    truth = packed['data_samples']
    assert packed['inputs'].shape == (3, H, W)
    assert truth.gt_depth_map.shape == truth.gt_sem_seg.shape == (H, W)
    assert str(truth.gt_depth_map.data.dtype) == 'torch.float32'


def test_transforms_are_registered_in_our_scope():
    for name in ('LoadDepthAnnotation', 'LoadCityscapesDepth', 'RandomDepthResize'):
        assert (
            sacm_mm.registry.TRANSFORMS.get(name).__module__ == 'sacm_mm.datasets.depth_transforms'
        )
