"""Shapes of annotation files: where they lie, and what becomes of damaged ones."""

import json
from xml.etree import ElementTree

import numpy as np
import own_sources
import pytest
from own_sources import SIZE, WRONG, places, save, scene, spoilt
from PIL import Image
from pycocotools import mask as coco_mask

from sacm_mm.core.errors import UserError
from sacm_mm.own_data.categories import Wishes
from sacm_mm.own_data.read_coco import read_coco
from sacm_mm.own_data.read_cvat import read_cvat
from sacm_mm.own_data.read_labelme import read_labelme
from sacm_mm.own_data.run_lengths import mask_of_runs
from sacm_mm.own_data.sources import prepare_source


def test_compressed_run_lengths_are_those_of_pycocotools():
    random = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        mask = random.random((37, 53)) < share
        text = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))['counts'].decode()
        assert (mask_of_runs(text, mask.shape) == mask).all()


@pytest.mark.parametrize('text', ['', '5', 'a', '54', '\x7f', 'ooooooooooooooo', 'PPPPPPPP'])
def test_damaged_compressed_run_lengths_are_refused(text):
    with pytest.raises(ValueError, match='its runs'):
        mask_of_runs(text, (4, 6))


@pytest.mark.parametrize(
    ('shape', 'tall'),
    [
        ('<box label="car" xtl="10" ytl="14" xbr="30" ybr="18" rotation="90.00"/>', True),
        ('<box label="car" xtl="10" ytl="14" xbr="30" ybr="18"/>', False),
        ('<ellipse label="car" cx="20" cy="16" rx="10" ry="2" rotation="270.00"/>', True),
    ],
)
def test_rotation_of_cvat_is_followed(tmp_path, shape, tall):
    save(scene(0).photo, tmp_path / 'a.png')
    (tmp_path / 'annotations.xml').write_text(
        f'<annotations><image name="a.png" height="32" width="40">{shape}</image></annotations>'
    )
    (sample,) = read_cvat(tmp_path, None, Wishes(boxes=True)).samples
    rows, columns = np.nonzero(sample.mask.draw(sample.picture, SIZE))
    sides = (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert sides == pytest.approx((20, 4) if tall else (4, 20), abs=1)
    assert (rows.mean(), columns.mean()) == pytest.approx((15.5, 19.5), abs=0.6)


def _photo(path, pixels, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, quality=95)


@pytest.mark.parametrize('stored', [True, False])
def test_masks_of_photos_upside_down_are_as_the_sideways_ones(tmp_path, stored):
    # orientation 3 turns by 180 degrees, and the size of a mask does not tell
    made = scene(0)
    for i, (orientation, turns) in enumerate([(6, 1), (3, 2), (6, 1), (3, 2)]):
        _photo(tmp_path / f'photos/{i}.jpg', np.rot90(made.photo, turns), orientation)
        mask = np.rot90(made.mask, turns) if stored else made.mask
        save(np.ascontiguousarray(mask), tmp_path / f'masks/{i}.png')
    done = prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    masks = [np.asarray(Image.open(path)) for path in (tmp_path / 'mine/masks').rglob('*.png')]
    assert len(masks) == 4 and all((mask == made.mask).all() for mask in masks)
    assert not any('EXIF' in warning for warning in done.warnings)


def test_photos_upside_down_are_doubted_where_nothing_tells(tmp_path):
    for i in range(4):
        _photo(tmp_path / f'photos/{i}.jpg', np.rot90(scene(i).photo, 2), 3)
        save(scene(i).mask, tmp_path / f'masks/{i}.png')
    done = prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    assert '4 photos are stored turned (EXIF)' in ' '.join(done.warnings)


def test_shapes_without_a_size_do_not_tell_how_sideways_photos_were_drawn(tmp_path):
    paths = own_sources.yolo(tmp_path, 4)
    for path in sorted(tmp_path.rglob('*.jpg')):
        _photo(path, np.rot90(np.asarray(Image.open(path))), 6)
    done = prepare_source('yolo', paths, tmp_path / 'mine')
    assert '4 photos are stored turned (EXIF)' in ' '.join(done.warnings)
    masks = [np.asarray(Image.open(path)) for path in (tmp_path / 'mine/masks').rglob('*.png')]
    assert {mask.shape for mask in masks} == {SIZE}


def _draw(source):
    for sample in source.samples:
        mask = sample.mask.draw(sample.picture, SIZE)
        assert mask.shape == SIZE and set(np.unique(mask)) <= {*range(len(source.classes)), 255}


@pytest.mark.parametrize('kind', ['coco', 'labelme'])
def test_no_value_of_an_annotation_file_ends_in_a_traceback(tmp_path, kind):
    paths = getattr(own_sources, kind)(tmp_path, 2)
    wishes = Wishes(boxes=True)
    if kind == 'coco':
        file, read = paths[0], lambda: read_coco(*paths, wishes)
    else:
        file = sorted(paths[0].rglob('*.json'))[0]
        read = lambda: read_labelme(paths[0], None, wishes)  # noqa: E731
    content = json.loads(file.read_text())
    refused = 0
    for path in list(places(content))[1:]:
        for wrong in WRONG:
            file.write_text(json.dumps(spoilt(content, path, wrong)))
            try:
                _draw(read())
            except UserError as error:
                assert '\n' not in str(error)
                refused += 1
    assert refused > 100


def test_no_value_of_cvat_ends_in_a_traceback(tmp_path):
    (folder,) = own_sources.cvat(tmp_path, 2)
    file = folder / 'annotations.xml'
    text = file.read_text()
    shapes = '<box label="car" xtl="1" ytl="2" xbr="9" ybr="8" rotation="3" z_order="1"/>' \
             '<ellipse label="car" cx="9" cy="8" rx="3" ry="2"/></image>'  # fmt: skip
    text = text.replace('</image>', shapes, 1)
    refused = 0
    elements = len(list(ElementTree.fromstring(text).iter()))
    for number in range(elements):
        for key in list(ElementTree.fromstring(text).iter())[number].attrib:
            for wrong in ('', 'x', '-1', '1e12', 'nan', 'inf', '1,2', '9999999999'):
                root = ElementTree.fromstring(text)
                list(root.iter())[number].set(key, wrong)
                file.write_bytes(ElementTree.tostring(root))
                try:
                    _draw(read_cvat(folder, None, Wishes(boxes=True)))
                except UserError as error:
                    assert '\n' not in str(error)
                    refused += 1
    assert refused > 50
