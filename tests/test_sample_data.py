"""Sample data: pictures, masks and depth agree, and folders are written whole or not at all."""

import json

import numpy as np
import pytest
from mmpretrain.datasets import ImageNet
from PIL import Image
from sample_data.canvas import FAR
from sample_data.layouts import WRITERS, Sizes, find_writers, voc_palette, with_void_rim
from sample_data.publish import MARKER, publish
from sample_data.room import NYU_DRAWN, render_room
from sample_data.scene import VOC_OBJECTS, render_scene
from sample_data.street import CAMVID_CLASSES, render_street

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.cifar10 import CIFAR10Dataset

RENDERERS = {'voc': render_scene, 'street': render_street, 'room': render_room}
VALID_IDS = {
    'voc': {0, *(kind.label for kind in VOC_OBJECTS.values())},
    'street': set(range(len(CAMVID_CLASSES) + 1)),
    'room': set(NYU_DRAWN.values()),
}
SMALL = Sizes(train=3, val=2, size=(48, 64))


def files_of(folder):
    """Map every path below a folder to its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.mark.parametrize('name', RENDERERS)
def test_scene_is_a_picture_with_mask_and_depth(name):
    scene = RENDERERS[name](np.random.default_rng(0), 72, 96)
    assert (scene.image.shape, scene.image.dtype) == ((72, 96, 3), np.uint8)
    assert (scene.labels.shape, scene.labels.dtype) == ((72, 96), np.uint8)
    assert (scene.depth.shape, scene.depth.dtype) == ((72, 96), np.float32)
    assert scene.image.std() > 5


@pytest.mark.parametrize('name', RENDERERS)
def test_same_seed_gives_same_scene(name):
    first, again, other = (RENDERERS[name](np.random.default_rng(s), 48, 64) for s in (1, 1, 2))
    for field in ('image', 'labels', 'depth'):
        assert np.array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize('name', RENDERERS)
def test_masks_hold_valid_ids_and_every_class_occurs(name):
    found = set()
    for seed in range(24):
        found |= set(np.unique(RENDERERS[name](np.random.default_rng(seed), 48, 64).labels))
    assert found == VALID_IDS[name]


@pytest.mark.parametrize('lead', VOC_OBJECTS)
def test_the_leading_object_is_shown_and_large(lead):
    for seed in range(6):
        scene = render_scene(np.random.default_rng(seed), 96, 96, lead, most=1)
        assert set(np.unique(scene.labels)) == {0, VOC_OBJECTS[lead].label}
        left, top, right, bottom = scene.objects[0].box
        assert max(right - left, bottom - top) >= 20


@pytest.mark.parametrize('name', RENDERERS)
@pytest.mark.parametrize('size', [(32, 32), (48, 64), (64, 48)])
def test_depth_is_finite_and_nearer_objects_cover_farther_ones(name, size):
    for seed in range(8):
        scene = RENDERERS[name](np.random.default_rng(seed), *size)
        assert np.isfinite(scene.depth).all()
        assert scene.depth.min() > 0
        assert scene.depth.max() <= FAR
        depths = [placed.depth for placed in scene.objects]
        assert depths == sorted(depths, reverse=True)
        for index, placed in enumerate(scene.objects):
            left, top, right, bottom = placed.box
            box = slice(top, bottom), slice(left, right)
            own = scene.depth[box] == np.float32(placed.depth)
            # What the object does not show within its box is nearer, or its own empty corners.
            if own.any() and depths.count(placed.depth) == 1:
                assert set(np.unique(scene.labels[box][own])) == {placed.label}
            for nearer in scene.objects[index + 1 :]:
                assert nearer.depth <= placed.depth


def test_an_object_is_as_far_as_the_ground_it_stands_on():
    checked = 0
    for seed in range(20):
        scene = render_scene(np.random.default_rng(seed), 120, 160, 'person', most=1)
        placed = scene.objects[0]
        if placed.box[3] < 118:
            ground = scene.depth[placed.box[3], 0]
            assert ground == pytest.approx(placed.depth, rel=0.08)
            checked += 1
    assert checked > 5


def test_foreground_of_a_scene_lies_at_the_depth_of_an_object():
    for seed in range(10):
        scene = render_scene(np.random.default_rng(seed), 48, 64)
        depths = np.array([placed.depth for placed in scene.objects], np.float32)
        assert np.isin(scene.depth[scene.labels > 0], depths).all()


def test_void_rim_is_one_pixel_on_either_side_of_an_outline():
    labels = np.zeros((1, 8), np.uint8)
    labels[:, 4:] = 7
    assert with_void_rim(labels).tolist() == [[0, 0, 0, 255, 255, 7, 7, 7]]


def test_palette_is_that_of_voc():
    palette = np.reshape(voc_palette(), (256, 3)).tolist()
    known = {0: [0, 0, 0], 1: [128, 0, 0], 7: [128] * 3, 15: [192, 128, 128], 20: [0, 64, 128]}
    assert {index: palette[index] for index in known} == known
    assert palette[255] == [224, 224, 192]


@pytest.mark.parametrize('name', WRITERS)
def test_writers_are_deterministic_and_idempotent(name, tmp_path):
    write = WRITERS[name]
    first = write(tmp_path / 'a', seed=3, sizes=SMALL)
    other = write(tmp_path / 'b', seed=3, sizes=SMALL)
    assert first.made
    before = files_of(first.path)
    assert before == files_of(other.path)
    again = write(tmp_path / 'a', seed=3, sizes=SMALL)
    assert again == (first.path, False)
    assert write(tmp_path / 'a', seed=4, sizes=SMALL).made
    assert files_of(first.path) != before
    assert sorted(path.name for path in first.path.parent.iterdir()) == [first.path.name]


def test_voc_layout(tmp_path):
    root = WRITERS['voc'](tmp_path, sizes=Sizes(8, 4, (48, 64))).path
    assert root == tmp_path / 'VOCdevkit' / 'VOC2012'
    lists = {
        path.stem: path.read_text().split()
        for path in (root / 'ImageSets' / 'Segmentation').glob('*.txt')
    }
    assert {split: len(names) for split, names in lists.items()} == dict(
        train=8, val=4, trainval=12, aug=2
    )
    assert not {*lists['trainval']} & {*lists['aug']}
    assert lists['trainval'] == lists['train'] + lists['val']
    sizes = set()
    for name in lists['trainval']:
        with Image.open(root / 'SegmentationClass' / f'{name}.png') as mask:
            assert mask.mode == 'P'
            assert mask.getpalette()[: 3 * 21] == voc_palette()[: 3 * 21]
            labels = np.array(mask)
        assert 255 in labels
        assert set(np.unique(labels)) <= VALID_IDS['voc'] | {255}
        with Image.open(root / 'JPEGImages' / f'{name}.jpg') as photo:
            assert photo.size == labels.shape[::-1]
            sizes.add(photo.size)
    assert sizes == {(64, 48), (48, 64)}
    for name in lists['aug']:
        assert (root / 'SegmentationClassAug' / f'{name}.png').is_file()
        assert not (root / 'SegmentationClass' / f'{name}.png').exists()


def test_camvid_layout(tmp_path):
    root = WRITERS['camvid'](tmp_path, sizes=SMALL).path
    for split, count in (('train', 3), ('val', 2), ('test', 2)):
        photos = sorted((root / split).iterdir())
        masks = sorted((root / f'{split}annot').iterdir())
        assert [path.name for path in photos] == [path.name for path in masks]
        assert len(masks) == count
        for path in masks:
            labels = np.array(Image.open(path))
            assert (labels.shape, labels.dtype) == ((48, 64), np.uint8)
            assert set(np.unique(labels)) <= set(range(12))


def test_floor_and_walls_of_a_room_are_planes():
    height, width = 60, 80
    for seed in range(6):
        scene = render_room(np.random.default_rng(seed), height, width)
        floor = scene.labels == NYU_DRAWN['floor']
        rows = np.where(floor.any(1))[0]
        # On a floor seen by a level camera a row has one depth, and 1 / depth is linear in rows.
        inverse = np.array([1 / scene.depth[row][floor[row]] for row in rows], object)
        assert all(np.ptp(row) < 1e-5 for row in inverse)
        line = np.array([row[0] for row in inverse], float)
        if len(rows) > 4:
            fit = np.polyval(np.polyfit(rows, line, 1), rows)
            np.testing.assert_allclose(line, fit, atol=1e-4)
        assert scene.depth.max() <= 8
        assert scene.depth[scene.labels == NYU_DRAWN['chair']].min(initial=1.2) >= 1.2


def test_nyu_layout(tmp_path):
    root = WRITERS['nyu'](tmp_path, sizes=SMALL).path
    for split, count in (('train', 3), ('test', 2)):
        names = {
            kind: sorted(path.stem for path in (root / kind / split).iterdir())
            for kind in ('images', 'annotations', 'labels40')
        }
        assert names['images'] == names['annotations'] == names['labels40']
        assert len(names['images']) == count
        for name in names['images']:
            depth = np.array(Image.open(root / f'annotations/{split}/{name}.png'))
            assert (depth.shape, depth.dtype) == ((48, 64), np.uint16)
            assert depth.min() > 300 and depth.max() < 8000  # millimetres
            labels = np.array(Image.open(root / f'labels40/{split}/{name}.png'))
            assert set(np.unique(labels)) <= VALID_IDS['room']


def test_cityscapes_layout(tmp_path):
    root = WRITERS['cityscapes'](tmp_path, sizes=SMALL).path
    for split, count in (('train', 3), ('val', 2)):
        photos = sorted((root / 'leftImg8bit' / split).glob('*/*_leftImg8bit.png'))
        assert len(photos) == count
        for photo in photos:
            name = f'{split}/{photo.parent.name}/{photo.name.removesuffix("_leftImg8bit.png")}'
            mask = np.array(Image.open(root / f'gtFine/{name}_gtFine_labelTrainIds.png'))
            assert set(np.unique(mask)) <= {*range(19), 255}
            disparity = np.array(Image.open(root / f'disparity/{name}_disparity.png'))
            assert disparity.dtype == np.uint16
            assert (disparity[mask == 10] == 0).all()  # sky
            camera = json.loads((root / f'camera/{name}_camera.json').read_text())
            assert camera['extrinsic']['baseline'] > 0 < camera['intrinsic']['fx']


def test_kitti_layout(tmp_path):
    root = WRITERS['kitti'](tmp_path, sizes=SMALL).path
    for split, count, without in (('train', 3, 0), ('test', 2, 1)):
        lines = (root / f'kitti_eigen_{split}_files_with_gt.txt').read_text().splitlines()
        assert len(lines) == count + without
        assert sum(' None ' in line for line in lines) == without
        for line in lines:
            image, depth, focal = line.split()
            assert (root / 'raw' / image).is_file()
            assert float(focal) > 0
            if depth != 'None':
                stored = np.array(Image.open(root / 'gt_depth' / depth))
                assert stored.dtype == np.uint16
                assert 0.3 < (stored == 0).mean() < 1  # sparse


def test_ade20k_layout(tmp_path):
    root = WRITERS['ade20k'](tmp_path, sizes=SMALL).path
    for split, count in (('training', 3), ('validation', 2)):
        masks = sorted((root / 'annotations' / split).iterdir())
        photos = sorted((root / 'images' / split).iterdir())
        assert [path.stem for path in photos] == [path.stem for path in masks]
        assert len(masks) == count
        for path in masks:
            labels = np.array(Image.open(path))
            assert labels.dtype == np.uint8 and labels.max() <= 150
            assert len(np.unique(labels)) > 1


def test_imagenet_is_read_by_the_host_with_its_class_ids(tmp_path):
    root = WRITERS['imagenet'](tmp_path, sizes=Sizes(16, 8, (32, 32))).path
    names = {'ram', 'convertible', 'pot', 'ballplayer'}
    for split, count in (('train', 16), ('val', 8)):
        dataset = ImageNet(data_root=str(root), split=split)
        assert len(dataset) == count
        found = {dataset.CLASSES[info['gt_label']].split(',')[0] for info in dataset}
        assert found == names
    synsets = [path.name for path in sorted((root / 'train').iterdir())]
    labels = [next(i['gt_label'] for i in dataset if s in i['img_path']) for s in synsets]
    assert labels == sorted(labels)  # as in the real set, where class ids follow the synsets


def test_the_cifar10_archive_is_read(tmp_path):
    root = WRITERS['cifar10'](tmp_path, sizes=Sizes(12, 8, (32, 32))).path
    names = {path.name for path in (root / 'cifar-10-batches-py').iterdir()}
    assert names == {*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch', 'batches.meta'}
    for split, count in (('train', 12), ('test', 8)):
        dataset = CIFAR10Dataset(data_root=str(root), split=split)
        assert len(dataset) == count
        assert all(info['img'].shape == (32, 32, 3) for info in dataset)
        assert {info['gt_label'] for info in dataset} == {1, 3, 4, 5}
    # The first picture is the one drawn for its label, its colours in the right order.
    first = render_scene(np.random.default_rng((0, 12)), 32, 32, 'car', most=1).image
    assert np.array_equal(dataset[0]['img'][..., ::-1], first)
    assert dataset[0]['gt_label'] == 1


@pytest.mark.parametrize('name', WRITERS)
def test_foreign_folder_is_refused_and_left_untouched(name, tmp_path):
    target = WRITERS[name](tmp_path, sizes=SMALL).path
    (target / MARKER).unlink()
    (target / 'mine.txt').write_text('kept')
    before = files_of(tmp_path)
    with pytest.raises(UserError, match='is not sample data; move it away'):
        WRITERS[name](tmp_path, sizes=SMALL)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('name', ['JPEGImages/holiday.jpg', 'JPEGImages/2012_000001.jpg', 'mine'])
def test_what_somebody_put_into_it_is_never_deleted(seed, name, tmp_path):
    """The default folder is where the real VOC2012 is unpacked."""
    target = WRITERS['voc'](tmp_path, sizes=SMALL).path
    (target / name).write_bytes(b'mine')
    before = files_of(tmp_path)
    with pytest.raises(UserError, match=f'holds {name}, which is not sample data; move it away'):
        WRITERS['voc'](tmp_path, seed=seed, sizes=SMALL)
    assert files_of(tmp_path) == before


def test_a_folder_of_the_first_version_is_named_as_that(tmp_path):
    target = WRITERS['voc'](tmp_path, sizes=SMALL).path
    (target / MARKER).write_text('{"set": "voc", "version": 1, "seed": 0, "files": 17}')
    before = files_of(tmp_path)
    with pytest.raises(UserError, match='is of an older version; remove it'):
        WRITERS['voc'](tmp_path, sizes=SMALL)
    assert files_of(tmp_path) == before


def test_folder_with_missing_files_is_made_anew(tmp_path):
    target = WRITERS['voc'](tmp_path, sizes=SMALL).path
    before = files_of(target)
    next((target / 'JPEGImages').iterdir()).unlink()
    assert WRITERS['voc'](tmp_path, sizes=SMALL).made
    assert files_of(target) == before


def test_nothing_is_left_when_a_writer_fails_midway(tmp_path):
    def good(folder):
        (folder / 'a.txt').write_text('a')

    def bad(folder):
        raise RuntimeError('midway')

    with pytest.raises(RuntimeError, match='midway'):
        publish(tmp_path / 'deep' / 'set', {}, [good, bad, good])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rebuild_keeps_the_old_folder(tmp_path):
    def good(folder):
        (folder / 'a.txt').write_text('a')

    def full(folder):
        raise OSError(28, 'No space left on device')

    publish(tmp_path / 'set', {'seed': 0}, [good])
    before = files_of(tmp_path)
    with pytest.raises(UserError, match='No space left on device'):
        publish(tmp_path / 'set', {'seed': 1}, [full])
    assert files_of(tmp_path) == before
    assert json.loads((tmp_path / 'set' / MARKER).read_text())['seed'] == 0


def test_a_root_that_cannot_be_a_folder_is_a_user_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write'):
        WRITERS['voc'](tmp_path / 'file', sizes=SMALL)


@pytest.mark.parametrize(
    'sizes', [Sizes(train=0), Sizes(val=-1), Sizes(size=(0, 64)), Sizes(size=(64, 8))]
)
@pytest.mark.parametrize('name', WRITERS)
def test_numbers_that_make_no_picture_are_user_errors(name, sizes, tmp_path):
    with pytest.raises(UserError, match=r'give \d+ or more'):
        WRITERS[name](tmp_path, sizes=sizes)
    assert list(tmp_path.iterdir()) == []


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(
        UserError, match='choose from: voc, camvid, ade20k, cityscapes, nyu, kitti, '
    ):
        find_writers(['voc', 'vok'])


def test_negative_seed_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match='seed is -1; give 0 or more'):
        WRITERS['voc'](tmp_path, seed=-1, sizes=SMALL)
