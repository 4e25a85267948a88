"""Broken sources: each answer names the file and the fix, and nothing is left half-written."""

import html
import json

import numpy as np
import own_sources
import pytest
import yaml
from own_sources import SIZE, WRONG, folder_numbers, folder_tiff, places, save, scene, spoilt
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.own_data.checking import check
from sacm_mm.own_data.findings import as_text
from sacm_mm.own_data.page import page_text
from sacm_mm.own_data.sources import prepare_source

BROKEN = {}


def broken(kind, answer, write=folder_numbers, **options):
    """Register a source that ``spoil`` breaks, and what the answer must say, as a pattern."""

    def register(spoil):
        BROKEN[spoil.__name__] = (kind, write, spoil, answer, options)
        return spoil

    return register


def photo(root):
    return next(p for p in sorted((root / 'photos').rglob('*')) if p.suffix == '.jpg')


def mask(root):
    return next(p for p in sorted((root / 'masks').rglob('*.png')))


@broken('folder', r"photos folder .*nowhere.* does not exist|'.*nowhere' does not exist")
def photos_missing(root, paths):
    paths[0] = root / 'nowhere'


@broken('folder', r'is an archive: unpack it')
def masks_are_an_archive(root, paths):
    paths[1] = root / 'masks.zip'
    paths[1].write_bytes(b'PK')


@broken('folder', r"no photos in '.*empty'")
def photos_empty(root, paths):
    paths[0] = root / 'empty'
    paths[0].mkdir()


@broken('folder', r"no masks in '.*empty'")
def masks_empty(root, paths):
    paths[1] = root / 'empty'
    paths[1].mkdir()


@broken('folder', r"cannot read picture '.*\.jpg' \(.*\): replace")
def photo_truncated(root, paths):
    path = photo(root)
    path.write_bytes(path.read_bytes()[:300])


@broken('folder', r"cannot read picture '.*\.jpg'.*replace")
def photo_is_text(root, paths):
    photo(root).write_text('no picture')


@broken('folder', r"cannot read mask '.*\.png' \(.*\): replace")
def mask_truncated(root, paths):
    path = mask(root)
    path.write_bytes(path.read_bytes()[:60])


@broken('folder', r"mask '.*\.png' is 20x16 pixels, but its picture '.*' is 40x32: they must agree")
def mask_of_another_size(root, paths):
    path = mask(root)
    save(np.array(Image.open(path))[::2, ::2], path)


@broken('folder', r"every mask holds only the value 0, as '.*': there is nothing to learn")
def masks_all_zero(root, paths):
    for path in (root / 'masks').rglob('*.png'):
        save(np.zeros(SIZE, np.uint8), path)


@broken('folder', r'they are smooth, from JPEG .*--tolerance 40', own_sources.folder_colours)
def masks_are_jpegs(root, paths):
    for path in (root / 'masks').rglob('*.png'):
        Image.open(path).convert('RGB').save(path.with_suffix('.jpg'), quality=60)
        path.unlink()


@broken('folder', r"mask '.*' is half transparent", own_sources.folder_colours)
def mask_half_transparent(root, paths):
    path = mask(root)
    image = Image.open(path).convert('RGBA')
    image.putalpha(Image.fromarray(np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1))))
    image.save(path)


@broken('folder', r'masks hold \d+ different values.*number objects')
def masks_number_objects(root, paths):
    for i, path in enumerate((root / 'masks').rglob('*.png')):
        numbers = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE) // 40 + i * 40
        save(numbers, path)


@broken('folder', r"two kinds: '.*' is colour-coded, '.*' holds the grey value 1",
        own_sources.folder_colours)  # fmt: skip
def masks_of_two_kinds(root, paths):
    path = mask(root)
    save((np.array(Image.open(path)).sum(2) > 0).astype(np.uint8), path)


@broken('folder', r'different values and is no mask of classes|two kinds|smooth')
def photos_in_place_of_masks(root, paths):
    paths[1] = root / 'other'
    for path in (root / 'photos').rglob('*'):
        if path.is_file():
            name = path.relative_to(root / 'photos').with_suffix('.png')
            save(np.array(Image.open(path)), root / 'other' / name)


@broken('folder', r"no mask fits a picture by its name: '.*' and '.*'; .*--pattern")
def names_do_not_fit(root, paths):
    for i, path in enumerate(sorted((root / 'masks').rglob('*.png'))):
        path.rename(path.with_name(f'{"xyzuvwabcdef"[i]}.png'))


@broken('folder', r"photos '.*' and '.*' have one name, '.*': rename one")
def two_photos_of_one_name(root, paths):
    path = photo(root)
    save(np.array(Image.open(path)), path.with_suffix('.bmp'))


@broken('folder', r"photos '.*0.bmp' and '.*0.jpg' have one name, '0': rename one",
        lambda root: [root / 'set', root / 'set'], pattern='{id}_mask.png')  # fmt: skip
def two_photos_of_one_name_beside_their_mask(root, paths):
    for name in ('0.jpg', '0.bmp', '1.jpg'):
        save(scene(0).photo, root / 'set' / name)
        save(scene(0).mask, root / f'set/{name[0]}_mask.png')


@broken('folder', r'2 classes are named, but the masks hold 3 values', classes='a,b')
def too_few_classes(root, paths):
    pass


@broken('folder', r"class 'a' is named twice", classes='a,b,a')
def class_named_twice(root, paths):
    pass


@broken('folder', r"file of class names 'names.txt' does not exist", classes='names.txt')
def names_file_missing(root, paths):
    pass


@broken('folder', r"mask '.*' holds the colour #c81e1e .*which the names leave out",
        own_sources.folder_colours, classes='palette.txt')  # fmt: skip
def palette_leaves_a_colour_out(root, paths):
    (root / 'palette.txt').write_text('background 0 0 0\ntree 20 160 40\n')


@broken('folder', r"--ignore 'sky' is no class", ignore=['sky'])
def ignored_class_unknown(root, paths):
    pass


@broken('folder', r"--split '0,10' is no split", split='0,10')
def split_without_training(root, paths):
    pass


@broken('folder', r"--group '\(' is no regular expression", group='(')
def group_no_expression(root, paths):
    pass


@broken('folder', r"--group '.*' has no group in parentheses", group='.*')
def group_without_parentheses(root, paths):
    pass


@broken('folder', r'puts all 10 pictures in one group', group='()')
def group_of_all(root, paths):
    pass


@broken('folder', r"--group '\(b_.*\)' does not fit the name", group='(b_.*)')
def group_fits_not_all(root, paths):
    pass


@broken('folder', r'there is 1 picture: training and validation need two',
        lambda root: folder_numbers(root, 1))  # fmt: skip
def one_picture(root, paths):
    pass


@broken('folder', r"--pattern 'mask.png' must hold \{id\} once", pattern='mask.png')
def pattern_without_id(root, paths):
    pass


@broken('folder', r"differ in channels: '.*' has 3, '.*' has 2|differ in channels: '.*' has 12")
def channels_differ(root, paths):
    path = photo(root)
    path.unlink()
    save(np.zeros((*SIZE, 12), np.uint8), path.with_suffix('.tif'))


@broken('folder', r"differ in kind: '.*' is uint\d+, '.*' is uint\d+: convert")
def bits_differ(root, paths):
    path = photo(root)
    path.unlink()
    save(np.zeros((*SIZE, 3), np.uint16), path.with_suffix('.tif'))


@broken('folder', r"picture '.*' holds nan or infinity", lambda r: folder_tiff(r, 1, 'float32'))
def picture_holds_nan(root, paths):
    save(np.full(SIZE, np.nan, np.float32), root / 'photos/03.tif')


@broken('folder', r"mask '.*' holds fractions or negative numbers")
def mask_holds_fractions(root, paths):
    path = mask(root)
    path.unlink()
    save(np.full(SIZE, 0.5, np.float32), path.with_suffix('.tif'))


@broken('folder', r"--out '.*' is inside of the source", out='photos/mine')
def out_in_the_source(root, paths):
    pass


@broken('folder', r"--out '.*' must name a folder", out='file')
def out_is_a_file(root, paths):
    (root / 'file').write_text('x')


@broken('folder', r"holds something that 'sacm data' did not write", out='taken')
def out_holds_something_else(root, paths):
    (root / 'taken').mkdir()
    (root / 'taken/thesis.txt').write_text('x')


@broken('folder', r'holds a quotation mark', out='my "set"')
def out_has_a_quotation_mark(root, paths):
    pass


@broken('folder', r'was made from folder, not from yolo', own_sources.yolo, out='mine2')
def other_kind_than_before(root, paths):
    raise AssertionError('replaced below')


@broken('folder', r"cannot read '.*dataset.yaml'", out='mine2')
def listing_damaged(root, paths):
    prepare_source('folder', paths, root / 'mine2')
    (root / 'mine2/dataset.yaml').write_text('task: [')


@broken('coco', r"cannot read annotations '.*instances.json' \(.*\): mend", own_sources.coco)
def coco_is_no_json(root, paths):
    paths[0].write_text('{"images": [')


@broken('coco', r'needs the lists images, annotations and categories', own_sources.coco)
def coco_without_categories(root, paths):
    change(paths[0], lambda c: c.pop('categories'))


@broken('coco', r"image 2 of .*, '.*', has the id 0 of '.*': give each its own", own_sources.coco)
def coco_images_of_one_id(root, paths):
    change(paths[0], lambda c: c['images'][1].update(id=0))


@broken('coco', r"category 2 of .*, 'car', has the id 7 of 'tree'", own_sources.coco)
def coco_categories_of_one_id(root, paths):
    change(paths[0], lambda c: c['categories'][1].update(id=7))


@broken('coco', r'annotation 0 of .* is of category 9, which is not listed', own_sources.coco)
def coco_category_unknown(root, paths):
    change(paths[0], lambda c: c['annotations'][0].update(category_id=9))


@broken('coco', r'annotation 0 of .* is of image 99', own_sources.coco)
def coco_image_unknown(root, paths):
    change(paths[0], lambda c: c['annotations'][0].update(image_id=99))


@broken('coco', r"none of the photos that '.*' names is in", own_sources.coco)
def coco_photos_elsewhere(root, paths):
    paths[1] = root / 'other'
    save(scene(0).photo, root / 'other/unrelated.png')


@broken('coco', r"'.*.json' names no photos: export it anew", own_sources.coco)
def coco_without_images(root, paths):
    change(paths[0], lambda c: c.update(images=[], annotations=[]))


@broken('coco', r'annotation 0 of .* has 2 usable corners', own_sources.coco)
def coco_polygon_of_two_corners(root, paths):
    change(paths[0], lambda c: c['annotations'][0].update(segmentation=[[1, 2, 3, 4]]))


@broken('coco', r'its run lengths are of 8x8, its picture of 40x32', own_sources.coco)
def coco_run_lengths_of_another_size(root, paths):
    change(paths[0], lambda c: c['annotations'][1]['segmentation'].update(size=[8, 8]))


@broken('coco', r"what '.*' describes is 80x64 pixels, but its picture '.*' is 40x32",
        own_sources.coco)  # fmt: skip
def coco_photo_was_resized(root, paths):
    def grow(content):
        for entry in content['annotations']:
            entry['segmentation'] = [[0, 0, 9, 0, 9, 9]]
        for image in content['images']:
            image.update(width=80, height=64)

    change(paths[0], grow)


@broken('coco', r'there is nothing to learn; .*--boxes', own_sources.coco)
def coco_has_boxes_alone(root, paths):
    change(paths[0], lambda c: [a.update(segmentation=[]) for a in c['annotations']])


@broken('coco', r"class 'tree' is in use \(10 times\), but not in --classes", own_sources.coco,
        classes='car')  # fmt: skip
def coco_class_not_named(root, paths):
    pass


@broken('coco', r'lists the photo .* twice', own_sources.coco)
def coco_photo_twice(root, paths):
    change(paths[0], lambda c: c['images'].append({**c['images'][0], 'id': 77}))


@broken('labelme', r"'.*' is no labelme file: .* take it out", own_sources.labelme)
def labelme_other_json(root, paths):
    (paths[0] / 'settings.json').write_text('{"a": 1}')


@broken('labelme', r'none of the photos of the labelme files .* is there', own_sources.labelme)
def labelme_without_photos(root, paths):
    for path in paths[0].rglob('*'):
        if path.is_file() and path.suffix != '.json':
            path.unlink()


@broken('labelme', r'no polygons in .* there is nothing to learn', own_sources.labelme)
def labelme_without_shapes(root, paths):
    for path in paths[0].rglob('*.json'):
        change(path, lambda c: c.update(shapes=[]))


@broken('labelme', r"shape 1 of '.*' is of the unknown kind 'spline'", own_sources.labelme)
def labelme_unknown_shape(root, paths):
    path = next(paths[0].rglob('*.json'))
    change(path, lambda c: c['shapes'][0].update(shape_type='spline'))


@broken('labelme', r"shape 1 of '.*' has no label", own_sources.labelme)
def labelme_shape_without_label(root, paths):
    path = next(paths[0].rglob('*.json'))
    change(path, lambda c: c['shapes'][0].update(label=''))


@broken('cvat', r"cannot read '.*annotations.xml' \(.*\): export it anew", own_sources.cvat)
def cvat_cut_off(root, paths):
    path = paths[0] / 'annotations.xml'
    path.write_text(path.read_text()[:-40])


@broken('cvat', r"is an export of a video: export it as 'CVAT for images 1.1'", own_sources.cvat)
def cvat_video(root, paths):
    (paths[0] / 'annotations.xml').write_text('<annotations><track label="a"/></annotations>')


@broken('cvat', r"no photos in '.*': export with 'Save images'", own_sources.cvat)
def cvat_without_photos(root, paths):
    (paths[0] / 'images').rename(root / 'elsewhere')


@broken(
    'cvat', r"shape 2 of image '.*' in '.*', a mask, is damaged \(its runs cover", own_sources.cvat
)
def cvat_mask_damaged(root, paths):
    path = paths[0] / 'annotations.xml'
    path.write_text(path.read_text().replace('rle="0, 48"', 'rle="0, 47"'))


def label_file(root):
    return next(p for p in sorted((root / 'set/labels').rglob('*.txt')))


@broken('yolo', r"line 1 of '.*' is of class 7, but the names are 0 to 1", own_sources.yolo)
def yolo_class_unknown(root, paths):
    label_file(root).write_text('7 0.1 0.1 0.2 0.1 0.2 0.2\n')


@broken('yolo', r"line 1 of '.*' holds 10: positions are shares", own_sources.yolo)
def yolo_pixels_in_place_of_shares(root, paths):
    label_file(root).write_text('0 10 10 20 10 20 20\n')


@broken('yolo', r"line 1 of '.*' has 7 numbers after the class", own_sources.yolo)
def yolo_odd_numbers(root, paths):
    label_file(root).write_text('0 0.1 0.1 0.2 0.1 0.2 0.2 0.3\n')


@broken('yolo', r"line 1 of '.*' is not \"class x1 y1", own_sources.yolo)
def yolo_words(root, paths):
    label_file(root).write_text('car 0.1 0.1 0.2 0.1 0.2 0.2\n')


@broken('yolo', r'has no data.yaml or classes.txt: .*--classes', own_sources.yolo)
def yolo_without_names(root, paths):
    (paths[0] / 'data.yaml').unlink()


def _other_parts(root, **parts):
    """Give the folders of the parts other names, and say in data.yaml what is what."""
    for kind in ('images', 'labels'):
        for part, name in (('train', 'first'), ('val', 'second')):
            (root / 'set' / kind / part).rename(root / 'set' / kind / name)
    file = root / 'set/data.yaml'
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **parts}))


@broken('yolo', r"'val: images/third' of '.*data.yaml' is not there", own_sources.yolo)
def yolo_part_missing(root, paths):
    _other_parts(root, train='images/first', val='images/third')


@broken('yolo', r"'.*data.yaml' has 'first/.*' in train and in val: choose one", own_sources.yolo)
def yolo_part_twice(root, paths):
    _other_parts(root, train='images/first', val=['images/second', 'images/first'])


@broken('yolo', r"'.*data.yaml' has second/.* in no part: add them", own_sources.yolo)
def yolo_part_left_out(root, paths):
    (root / 'set/some.txt').write_text('images/second/0.jpg\n./images/second/3.jpg\n')
    _other_parts(root, train='../images/first', val='some.txt')


@broken('yolo', r"'val: photo.jpg' of '.*data.yml' is no folder and no list", own_sources.yolo)
def yolo_part_is_no_list(root, paths):
    _other_parts(root, train='images/first', val='photo.jpg')
    (root / 'set/photo.jpg').write_bytes(b'\xff\xd8')
    (root / 'set/data.yaml').rename(root / 'set/data.yml')


@broken('yolo', r"'train: 3' of '.*data.yaml' is not there", own_sources.yolo)
def yolo_part_is_a_number(root, paths):
    _other_parts(root, train=3, val='images/second')


@broken('yolo', r'there is nothing to learn; .*--boxes', own_sources.yolo)
def yolo_boxes_alone(root, paths):
    for path in (root / 'set/labels').rglob('*.txt'):
        path.write_text('0 0.5 0.5 0.2 0.2\n')


@broken('voc', r'has no folder SegmentationClass', own_sources.voc)
def voc_without_masks(root, paths):
    (paths[0] / 'SegmentationClass').rename(root / 'away')


@broken('voc', r"train.txt' lists 'gone', of which there is no photo", own_sources.voc)
def voc_lists_a_missing_photo(root, paths):
    path = paths[0] / 'ImageSets/Segmentation/train.txt'
    path.write_text(path.read_text() + 'gone\n')


@broken('classes', r"has the one class 'car': there is nothing to tell apart", own_sources.classes)
def one_class(root, paths):
    (paths[0] / 'tree').rename(root / 'away')


@broken('classes', r'no class folders with pictures in .* but 12 pictures', own_sources.classes)
def classes_without_folders(root, paths):
    for path in list(paths[0].rglob('*.*')):
        path.rename(paths[0] / path.name)


@broken('classes', r"folder 'tree' in '.*' is none of the classes", own_sources.classes,
        classes='car,bus')  # fmt: skip
def class_folder_unknown(root, paths):
    pass


@broken('depth', r'depth needs --unit', own_sources.depth)
def depth_without_unit(root, paths):
    pass


@broken('depth', r"--unit 'feet' is none", own_sources.depth, unit='feet')
def depth_unit_unknown(root, paths):
    pass


@broken('depth', r'--focal-baseline is positive and goes with', own_sources.depth, unit='mm',
        focal_baseline=3.0)  # fmt: skip
def focal_baseline_with_metres(root, paths):
    pass


@pytest.mark.parametrize(
    ('kind', 'write', 'options', 'says'),
    [
        ('classes', own_sources.classes, dict(tolerance=3), 'tolerance is for folder, voc'),
        ('classes', own_sources.classes, dict(ignore=['car']), 'ignore is for folder, voc, coco'),
        ('classes', own_sources.classes, dict(unit='mm'), 'unit is for depth, not for source'),
        ('coco', own_sources.coco, dict(pattern='{id}.png'), 'pattern is for folder, depth'),
        ('folder', folder_numbers, dict(boxes=True), 'boxes is for coco, labelme, cvat, yolo'),
        ('folder', folder_numbers, dict(unlabelled='ignore'), 'unlabelled is for coco'),
        ('depth', own_sources.depth, dict(unit='mm', classes='a,b'), 'classes is for folder'),
        ('voc', own_sources.voc, dict(split='50,50'), 'leave out --split and --seed'),
        ('voc', own_sources.voc, dict(seed=1), 'says itself what is for train, val and test'),
    ],
)
def test_options_without_effect_are_refused(tmp_path, kind, write, options, says):
    with pytest.raises(UserError, match=says):
        prepare_source(kind, write(tmp_path), tmp_path / 'mine', **options)
    assert not (tmp_path / 'mine').exists()


@broken('depth', r"median of \d+ m with --unit m: it would be \d\.\d m with --unit mm",
        own_sources.depth, unit='m')  # fmt: skip
def depth_off_by_a_factor(root, paths):
    pass


@broken('depth', r"depth frame '.*' has 8 bits, which are too few", own_sources.depth, unit='mm')
def depth_of_8_bits(root, paths):
    save(np.full(SIZE, 9, np.uint8), root / 'depths/depth_003.png')


@broken('depth', r"depth frame '.*' has 3 channels", own_sources.depth, unit='mm')
def depth_in_colour(root, paths):
    save(np.full((*SIZE, 3), 9, np.uint8), root / 'depths/depth_003.png')


@broken('depth', r"depth frame '.*' is 20x16 pixels, but its picture", own_sources.depth, unit='mm')
def depth_of_another_size(root, paths):
    save(np.full((16, 20), 2000, np.uint16), root / 'depths/depth_003.png')


@broken('depth', r'no depth frame holds a valid depth', own_sources.depth, unit='mm')
def depth_all_zero(root, paths):
    for path in (root / 'depths').glob('*.png'):
        save(np.zeros(SIZE, np.uint16), path)


@broken('depth', r'--pattern', own_sources.depth, unit='mm')
def depth_names_do_not_fit(root, paths):
    for i, path in enumerate(sorted((root / 'depths').glob('*.png'))):
        path.rename(path.with_name(f'{"abcdefghijkl"[i]}.png'))


@broken('folder', r"'.*mask_1.png' belongs to 'l_1' and to 'r_1' by its name",
        lambda root: [root / 'photos', root / 'masks'], pattern='mask_{id}.png')  # fmt: skip
def mask_of_two_photos(root, paths):
    for i, name in enumerate(('l_1', 'r_1', 'r_2')):
        save(scene(i).photo, root / f'photos/{name}.jpg')
        save(scene(i).mask, root / f'masks/mask_{name[-1]}.png')


@broken('labelme', r"'.*a.jpg' belongs to 'a' and to 'b' by its name",
        lambda root: [root / 'set'])  # fmt: skip
def photo_of_two_files(root, paths):
    for i, name in enumerate('ab'):
        save(scene(i).photo, root / f'set/{name}.jpg')
        shape = dict(label='car', points=[[1, 1], [9, 1], [9, 9]])
        content = dict(shapes=[shape], imagePath='a.jpg')
        (root / f'set/{name}.json').write_text(json.dumps(content))


@broken('coco', r'there are 257 classes: a mask holds at most 255', own_sources.coco)
def coco_of_many_classes(root, paths):
    many = [dict(id=i, name=f'c{i}') for i in range(256)]
    change(paths[0], lambda c: c.update(categories=many))


@broken('coco', r'a corner at \(1e\+06, 1\) is far outside of 40x32', own_sources.coco)
def coco_corner_far_outside(root, paths):
    far = [[1, 1, 1e6, 1, 9, 9]]
    change(paths[0], lambda c: c['annotations'][0].update(segmentation=far))


@broken('labelme', r"'background' is the only class", lambda root: own_sources.labelme(root))
def labelme_of_background_alone(root, paths):
    for path in paths[0].rglob('*.json'):
        change(path, lambda c: [shape.update(label='Background') for shape in c['shapes']])


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def contents(root):
    return {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_source_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind, write, spoil, answer, options = BROKEN[name]
    options = dict(options)
    paths = list(write(tmp_path))
    out = tmp_path / options.pop('out', 'mine')
    if spoil is other_kind_than_before:
        prepare_source('folder', folder_numbers(tmp_path), out)
        kind = 'yolo'
    else:
        spoil(tmp_path, paths)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=answer) as refused:
        prepare_source(kind, paths, out, **options)
    assert '\n' not in str(refused.value)
    assert contents(tmp_path) == before
    assert not [p for p in tmp_path.rglob('.*') if p.name not in ('.', '..')]


def test_there_are_many():
    assert len(BROKEN) >= 40


def test_what_is_left_out_is_said(tmp_path):
    paths = folder_numbers(tmp_path)
    save(scene(77).photo, tmp_path / 'photos/unlabelled.jpg')
    save(scene(78).mask, tmp_path / 'masks/orphan.png')
    (tmp_path / 'photos/._ghost.jpg').write_bytes(b'x')
    done = prepare_source('folder', paths, tmp_path / 'mine')
    report = check(done.folder)
    doubts = '\n'.join(finding.what for finding in report.doubts)
    page = html.unescape(page_text(report))
    for said in ('\n'.join(done.warnings), doubts, page):
        assert '1 picture has no mask and is left out: unlabelled.jpg' in said
        assert '1 mask has no picture and is left out: orphan.png' in said
    for said in ('\n'.join(as_text(report)), page):
        assert 'masks: 10 numbers in one channel' in said


@pytest.mark.parametrize('kind', ['coco', 'labelme', 'cvat', 'yolo'])
def test_photos_without_annotation_are_named(kind, tmp_path):
    paths = getattr(own_sources, kind)(tmp_path)
    photo = next(path for path in sorted(tmp_path.rglob('*')) if path.suffix == '.jpg')
    save(scene(77).photo, photo.with_name('unlabelled.jpg'))
    done = prepare_source(kind, paths, tmp_path / 'mine')
    what = 'label file' if kind == 'yolo' else 'entry'
    said = f'1 photo has no {what} and is left out: unlabelled.jpg'
    assert any(warning.startswith(said) for warning in done.warnings)


@pytest.fixture
def made(tmp_path):
    prepare_source('folder', folder_numbers(tmp_path, 12), tmp_path / 'mine',
                   classes='background,car,tree')  # fmt: skip
    return tmp_path / 'mine'


def first(folder, part='train'):
    return sorted(p for p in (folder / part).rglob('*') if p.is_file())[0]


SPOILED = {
    'mask gone': (lambda d: first(d / 'masks').unlink(), 'wrong', r"has no mask '.*\.png'"),
    'mask of another size': (
        lambda d: save(np.zeros((8, 8), np.uint8), first(d / 'masks')), 'wrong',
        r"mask '.*\.png' is 8x8, its picture is 40x32: make them agree"),
    'mask with a value too many': (
        lambda d: save(np.full(SIZE, 7, np.uint8), first(d / 'masks')), 'wrong',
        r"mask '.*\.png' holds 7, the 3 classes are 0 to 2"),
    'mask unreadable': (
        lambda d: first(d / 'masks').write_bytes(b'x'), 'wrong', r"cannot read mask '.*\.png'"),
    'picture truncated': (
        lambda d: first(d / 'images').write_bytes(first(d / 'images').read_bytes()[:150]),
        'wrong', r"cannot read picture '.*' \(.*\): replace"),
    'same picture in two parts': (
        lambda d: first(d / 'images', 'val').write_bytes(
            (d / 'images/train' / sorted(p.name for p in (d / 'images/train').iterdir()
                                         if p.is_file())[0]).read_bytes()),
        'doubt', r"are the same picture in two parts"),
    'masks of 0 and 255': (
        lambda d: [save((np.array(Image.open(p)) > 0).astype(np.uint8) * 255, p)
                   for p in (d / 'masks').rglob('*.png')], 'wrong', '255 looks like a class'),
    'masks of 255 and a value too many': (
        lambda d: [save(np.where(np.array(Image.open(p)) > 0, 255, 7).astype(np.uint8), p)
                   for p in (d / 'masks').rglob('*.png')], 'wrong',
        r'holds 7, the 3 classes are 0 to 2 \(\d+ more like it\)'),
    'class that never occurs': (
        lambda d: [save(np.minimum(np.array(Image.open(p)), 1), p)
                   for p in (d / 'masks').rglob('*.png')], 'doubt', "class 'tree' never occurs"),
    'config of other classes': (
        lambda d: (d / 'mine.py').write_text((d / 'mine.py').read_text().replace(
            'num_classes=3', 'num_classes=5')), 'wrong', r'num_classes=5, dataset.yaml has 3'),
    'config of several heads': (
        lambda d: (d / 'mine.py').write_text((d / 'mine.py').read_text() + """
heads = [dict(type='FCNHead', num_classes=4), dict(type='OCRHead', num_classes=5)]
model = dict(type='CascadeEncoderDecoder', decode_head=heads)
"""), 'wrong', r'num_classes=5, dataset.yaml has 3'),
    'no validation': (
        lambda d: [p.unlink() for p in (d / 'images/val').rglob('*') if p.is_file()], 'wrong',
        'no pictures for val'),
}  # fmt: skip


@pytest.mark.parametrize('name', SPOILED)
def test_check_finds(name, made):
    import re

    spoil, level, answer = SPOILED[name]
    spoil(made)
    report = check(made)
    lines = [finding.line for finding in report.findings if finding.level == level]
    assert any(re.search(answer, line) for line in lines), lines


def test_check_of_a_good_set_finds_nothing_wrong(made):
    report = check(made)
    assert not report.wrong
    assert report.counts['train'] + report.counts['val'] + report.counts['test'] == 12
    assert [row.name for row in report.classes] == ['background', 'car', 'tree']
    assert any('background' in line for line in as_text(report))


def test_check_says_a_unit_that_is_off(tmp_path):
    paths = own_sources.depth(tmp_path)
    prepare_source('depth', paths, tmp_path / 'mine', unit='cm')  # they are millimetres: 10 to 49 m
    assert not check(tmp_path / 'mine').wrong
    prepare_source('depth', paths, tmp_path / 'other', unit='0.0001')
    report = check(tmp_path / 'other')
    (finding,) = (f for f in report.doubts if 'median' in f.what)
    assert 'off by a factor' in finding.fix


def test_the_largest_number_of_16_bits_is_not_a_depth(tmp_path):
    paths = own_sources.depth(tmp_path)
    for path in paths[1].iterdir():
        steps = np.array(Image.open(path))
        steps[10:20] = 65535
        Image.fromarray(steps).save(path)
    prepare_source('depth', paths, tmp_path / 'mine', unit='mm')
    depths = [*(tmp_path / 'mine/depth').rglob('*.png')]
    assert len(depths) == 10
    assert all((np.array(Image.open(path))[10:20] == 0).all() for path in depths)
    assert not [f for f in check(tmp_path / 'mine').findings if 'largest' in f.what]


def test_check_says_where_depth_ends_at_one_number(tmp_path):
    paths = own_sources.depth(tmp_path)
    for path in paths[1].iterdir():
        Image.fromarray(np.minimum(np.array(Image.open(path)), 3000)).save(path)
    prepare_source('depth', paths, tmp_path / 'mine', unit='mm')
    (finding,) = (f for f in check(tmp_path / 'mine').doubts if 'largest depth, 3 m' in f.what)
    assert 'write 0 there' in finding.fix


def test_page_escapes_names(tmp_path):
    evil = '<script>alert(1)</script>&'
    paths = folder_numbers(tmp_path)
    path = photo(tmp_path)
    odd = path.with_name('<img src=x onerror=alert(2)>.jpg')
    path.rename(odd)
    for old in (tmp_path / 'masks').rglob(f'{path.stem}.png'):
        old.rename(old.with_name(f'{odd.stem}.png'))
    prepare_source('folder', paths, tmp_path / 'mine')
    listing = tmp_path / 'mine/dataset.yaml'
    content = yaml.safe_load(listing.read_text(encoding='utf-8'))
    content['classes'][1]['name'] = evil
    listing.write_text(yaml.safe_dump(content), encoding='utf-8')
    text = page_text(check(tmp_path / 'mine'))
    assert '&lt;script&gt;' in text and '&lt;img src' in text
    assert '<script' not in text and '<img src=x' not in text


@pytest.mark.parametrize('kind', ['folder', pytest.param('depth', marks=pytest.mark.slow)])
def test_no_value_of_a_data_sets_file_ends_in_a_traceback(tmp_path, kind):
    if kind == 'folder':
        done = prepare_source(kind, folder_numbers(tmp_path, 2), tmp_path / 'mine')
    else:
        done = prepare_source(
            kind, own_sources.depth(tmp_path, number=2), tmp_path / 'mine', unit='mm'
        )
    listing = done.folder / 'dataset.yaml'
    content = yaml.safe_load(listing.read_text(encoding='utf-8'))
    refused = 0
    keys = ('classes',) if kind == 'folder' else tuple(content)
    for path in places(content):
        # all values of all keys would take minutes
        for wrong in WRONG[::2] if path and path[0] in keys and len(path) < 3 else ():
            listing.write_text(yaml.safe_dump(spoilt(content, path, wrong)))
            try:
                check(done.folder)
            except UserError as error:
                assert '\n' not in str(error)
                refused += 1
    assert refused > (5 if kind == 'folder' else 50)
