"""Own pictures: every kind of source becomes a data set that trains and predicts."""

import itertools
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import own_sources
import pytest
import tifffile
import torch
import yaml
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.optim import OptimWrapper
from own_sources import COLOURS, NAMES, SIZE, build, save, scene
from PIL import Image

from sacm_mm.apis.predict import find_inputs
from sacm_mm.apis.predictor import Model
from sacm_mm.core.configs import find_config, load_config
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.dataset_file import read_dataset_file
from sacm_mm.datasets.picture_files import SUFFIXES, find_pictures, read_picture
from sacm_mm.datasets.picture_transforms import LoadPicture
from sacm_mm.datasets.transforms import LoadImageFromFile
from sacm_mm.deploy.samples import data_samples, decode
from sacm_mm.own_data.checking import check
from sacm_mm.own_data.class_names import read_names
from sacm_mm.own_data.ready_config import config_text, template_values
from sacm_mm.own_data.samples import Sample
from sacm_mm.own_data.sources import prepare_source
from sacm_mm.own_data.splitting import SplitWishes, split_samples

SHAPED = ('coco', 'labelme', 'cvat', 'yolo')
KINDS = {
    'folder colours': ('folder', own_sources.folder_colours, {}),
    'folder numbers': ('folder', own_sources.folder_numbers, {'classes': ','.join(NAMES)}),
    'folder binary': ('folder', own_sources.folder_binary, {}),
    'coco': ('coco', own_sources.coco, {}),
    'labelme': ('labelme', own_sources.labelme, {}),
    'cvat': ('cvat', own_sources.cvat, {}),
    'yolo': ('yolo', own_sources.yolo, {}),
    'voc': ('voc', own_sources.voc, {}),
    'classes': ('classes', own_sources.classes, {}),
    'depth': ('depth', own_sources.depth, {'unit': 'mm'}),
}


def train_and_predict(config):
    """Take two steps with a ready config, and predict the first picture of its val part."""
    cfg, model, train, val = build(config)
    collate = default_collate if cfg.default_scope == 'mmpretrain' else pseudo_collate
    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
    for _ in range(2):
        losses = model.train_step(collate([train[0], train[1]]), optimizer)
    assert all(np.isfinite(float(value)) for value in losses.values())
    model.eval()
    with torch.no_grad():
        (predicted,) = model.test_step(collate([val[0]]))
    return cfg, val, predicted


def read_mask(path):
    return np.array(Image.open(path))


@pytest.mark.parametrize('kind', KINDS)
def test_source_becomes_a_data_set_that_trains(kind, tmp_path):
    name, write, options = KINDS[kind]
    done = prepare_source(name, write(tmp_path), tmp_path / 'mine', **options)
    assert done.config == tmp_path / 'mine/mine.py'
    content = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text(encoding='utf-8'))
    assert content['counts']['train'] >= 4 and content['counts']['val'] >= 1
    _, val, predicted = train_and_predict(done.config)
    if name == 'classes':
        assert val.metainfo['classes'] == ('car', 'tree')
        assert predicted.pred_score.shape == (2,)
        return
    prediction = predicted.pred_depth_map if name == 'depth' else predicted.pred_sem_seg
    assert prediction.data.shape[-2:] == SIZE
    if name == 'depth':
        truth = (
            np.array(Image.open(val.get_data_info(0)['depth_map_path'])) * content['depth']['step']
        )
        number = int(val.get_data_info(0)['img_path'].split('_')[-1].split('.')[0])
        np.testing.assert_allclose(truth, scene(number).depth, atol=1e-3)
        return
    if kind == 'folder binary':
        assert val.metainfo['classes'] == ('background', 'foreground')
        return
    if name in (*SHAPED, 'voc') or kind == 'folder numbers':
        assert set(val.metainfo['classes']) == set(NAMES)
    codes = {c['name']: place for place, c in enumerate(content['classes'])}
    if kind == 'folder colours':  # names are a guess, colours are not
        codes = {n: [c['colour'] for c in content['classes']].index('#' + bytes(rgb).hex())
                 for n, rgb in zip(NAMES, COLOURS)}  # fmt: skip
    for info in (val.get_data_info(i) for i in range(len(val))):
        number = int(''.join(c for c in info['img_path'].split('/')[-1] if c.isdigit()))
        wanted = np.array([codes[n] for n in NAMES])[scene(number).mask]
        if name == 'voc':
            wanted[0] = 255
        assert (read_mask(info['seg_map_path']) == wanted).all()


def test_polygons_overlap_by_area(tmp_path):
    paths = own_sources.labelme(tmp_path, 4)
    prepare_source('labelme', paths, tmp_path / 'mine')
    for i in range(4):
        (mask,) = (tmp_path / 'mine/masks').rglob(f'*[ _]{i}.png')
        assert (read_mask(mask) == 2).sum() == (scene(i).mask == 2).sum() == 48


def test_labelme_files_apart_from_their_photos(tmp_path):
    # labelme's --output, on Windows: imagePath leads out of the folder, with its slashes
    (folder,) = own_sources.labelme(tmp_path)
    for path in sorted(folder.rglob('*.json')):
        content = json.loads(path.read_text())
        content['imagePath'] = f'..\\elsewhere\\{content["imagePath"]}'
        apart = tmp_path / 'files' / path.relative_to(folder)
        apart.parent.mkdir(parents=True, exist_ok=True)
        apart.write_text(json.dumps(content))
        path.unlink()
    with pytest.raises(UserError, match='give their folder second'):
        prepare_source('labelme', [tmp_path / 'files'], tmp_path / 'mine')
    done = prepare_source('labelme', [tmp_path / 'files', folder], tmp_path / 'mine')
    assert len(list((done.folder / 'masks').rglob('*.png'))) == 10
    assert not any('photo' in warning for warning in done.warnings)


def test_the_one_coco_file_of_a_folder_needs_no_name(tmp_path):
    annotations, photos = own_sources.coco(tmp_path)
    annotations.rename(photos / 'result.json')
    done = prepare_source('coco', [photos], tmp_path / 'mine')
    assert len(list((done.folder / 'masks').rglob('*.png'))) == 10


@pytest.mark.parametrize(
    ('channels', 'dtype'), [(1, 'uint8'), (1, 'uint16'), (4, 'uint8'), (12, 'float32')]
)
def test_any_channels_and_bits_train(channels, dtype, tmp_path):
    paths = own_sources.folder_tiff(tmp_path, channels, dtype)
    done = prepare_source('folder', paths, tmp_path / 'mine')
    content = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text(encoding='utf-8'))
    assert content['pictures']['channels'] == channels
    assert content['pictures']['dtype'] == dtype
    cfg, val, predicted = train_and_predict(done.config)
    assert len(cfg.model.data_preprocessor.mean) == channels
    assert cfg.model.backbone.get('in_channels', 3) == channels
    assert predicted.pred_sem_seg.shape == SIZE
    name = val[0]['data_samples'].img_path
    number = int(name.split('/')[-1].split('.')[0])
    factor = {'uint8': 1, 'uint16': 200, 'float32': 0.01}[dtype]
    wanted = (scene(number).photo.mean(2) * factor).astype(dtype)  # the last channel, unscaled
    np.testing.assert_allclose(val[0]['inputs'][-1].numpy(), wanted, rtol=1e-5)


def write_photo(pixels, path, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == '.npy':
        np.save(path, pixels)
    elif kind == 'rows.tif':  # which OpenCV takes for a page a row
        tifffile.imwrite(path, pixels, photometric='minisblack')
    else:
        form = dict(format='JPEG') if kind == '.jfif' else {}
        Image.fromarray(pixels).save(path, **form)


@pytest.mark.parametrize('kind', [*SUFFIXES, 'rows.tif'])
def test_every_kind_of_file_comes_to_the_network_and_is_predicted(kind, tmp_path):
    """As it was when its statistics were counted."""
    suffix = '.' + kind.rpartition('.')[2]
    for i in range(6):
        write_photo(scene(i).photo, tmp_path / f'photos/{i}{suffix}', kind)
        save(scene(i).mask, tmp_path / f'masks/{i}.png')
    done = prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    cfg, network, _, val = build(done.config)
    sample = val[0]
    wanted = read_picture(sample['data_samples'].img_path)
    taken = network.data_preprocessor(pseudo_collate([sample]), False)['inputs'][0]
    mean, std = (np.array(cfg.model.data_preprocessor[key]) for key in ('mean', 'std'))
    np.testing.assert_allclose(taken.permute(1, 2, 0), (wanted - mean) / std, atol=0.05)
    found, left_out = find_inputs(tmp_path / 'photos', None, Model(network, cfg, {}).suffixes)
    assert (len(found), left_out) == (6, [])
    assert [decode(shown).shape for shown in data_samples(cfg, 1)] == [(*SIZE, 3)]


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.gif', '.tif'])
def test_two_rows_of_colours_are_no_two_channels(suffix, tmp_path):
    pixels = scene(0).photo[:2]
    Image.fromarray(pixels).save(tmp_path / f'a{suffix}')
    found = read_picture(tmp_path / f'a{suffix}')
    assert found.shape == pixels.shape
    assert suffix == '.gif' or (found == pixels).all()


def test_sources_are_never_changed(tmp_path):
    paths = own_sources.folder_colours(tmp_path)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.rglob('*') if p.is_file()}
    for _ in range(2):
        prepare_source('folder', paths, tmp_path / 'mine')
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in before}
    assert after == before


def test_adding_files_moves_no_other(tmp_path):
    paths = own_sources.folder_numbers(tmp_path, 24)
    prepare_source('folder', paths, tmp_path / 'mine')
    first = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text())['names']
    own_sources.folder_numbers(tmp_path, 40)
    prepare_source('folder', paths, tmp_path / 'mine')
    second = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text())['names']
    assert sum(map(len, second.values())) == 40
    for part, names in first.items():
        assert set(names) <= set(second[part])


def test_parts_follow_from_the_names_alone():
    samples = [Sample(f'a{i}', Path(f'a{i}.png')) for i in range(300)]
    few, many = (split_samples(samples[-n:], SplitWishes(), {}) for n in (150, 300))
    assert all(many[name] == part for name, part in few.items())
    shares = [list(many.values()).count(part) / 300 for part in ('train', 'val', 'test')]
    np.testing.assert_allclose(shares, (0.8, 0.1, 0.1), atol=0.05)
    assert split_samples(samples, SplitWishes(seed=1), {}) != many


def test_edited_names_and_config_are_kept(tmp_path):
    paths = own_sources.folder_colours(tmp_path)
    done = prepare_source('folder', paths, tmp_path / 'mine')
    listing = tmp_path / 'mine/dataset.yaml'
    text = listing.read_text(encoding='utf-8')
    guessed = yaml.safe_load(text)['classes'][2]['name']
    listing.write_text(text.replace(f'name: {guessed},', 'name: automobile,'), encoding='utf-8')
    done.config.write_text(done.config.read_text() + '# mine\n')
    again = prepare_source('folder', paths, tmp_path / 'mine')
    assert 'automobile' in [c['name'] for c in yaml.safe_load(listing.read_text())['classes']]
    assert done.config.read_text().endswith('# mine\n')
    assert (tmp_path / 'mine/mine.py.new').is_file()
    assert any('mine.py.new' in line for line in again.lines)


def test_group_keeps_recordings_together(tmp_path):
    for i in range(24):
        made = scene(i)
        save(made.photo, tmp_path / f'photos/drive{i // 4}_{i:03}.jpg')
        save(made.mask, tmp_path / f'masks/drive{i // 4}_{i:03}.png')
    paths = [tmp_path / 'photos', tmp_path / 'masks']
    prepare_source('folder', paths, tmp_path / 'torn')
    (warning,) = (f.line for f in check(tmp_path / 'torn').doubts if '--group' in f.fix)
    assert ': those of drive0_, drive2_, drive3_ are in two parts' in warning
    prepare_source('folder', paths, tmp_path / 'whole', group=r'(.*)_\d+')
    assert not any('--group' in f.fix for f in check(tmp_path / 'whole').doubts)
    names = yaml.safe_load((tmp_path / 'whole/dataset.yaml').read_text())['names']
    drives = [{name.split('_')[0] for name in names[part]} for part in ('train', 'val', 'test')]
    assert not (drives[0] & drives[1] or drives[0] & drives[2] or drives[1] & drives[2])


@pytest.mark.parametrize('apart', [False, True], ids=['torn', 'apart'])
def test_pictures_that_look_like_those_before_them_are_doubted(tmp_path, apart):
    made = scene(0)
    for i in range(24):
        part = ('train', 'val')[i >= 20] if apart else ('train', 'val')[i % 3 == 0]
        save(np.roll(made.photo, i, 1), tmp_path / f'photos/{part}/{i:03}.jpg')
        save(np.roll(made.mask, i, 1), tmp_path / f'masks/{part}/{i:03}.png')
    prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    doubts = [finding.what for finding in check(tmp_path / 'mine').doubts]
    assert any('look alike' in what for what in doubts) is not apart


def test_ready_parts_are_kept(tmp_path):
    for i in range(8):
        part = ('train', 'valid', 'Test')[i % 3]
        save(scene(i).photo, tmp_path / f'photos/{part}/{i}.jpg')
        save(scene(i).mask, tmp_path / f'masks/{part}/{i}.png')
    prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    found = sorted(p.relative_to(tmp_path / 'mine/images').as_posix()
                   for p in (tmp_path / 'mine/images').rglob('*.jpg'))  # fmt: skip
    assert found == ['test/2.jpg', 'test/5.jpg', 'train/0.jpg', 'train/3.jpg', 'train/6.jpg',
                     'val/1.jpg', 'val/4.jpg', 'val/7.jpg']  # fmt: skip


def test_parts_of_labelme_are_those_of_its_folders(tmp_path):
    (folder,) = own_sources.labelme(tmp_path, 6)
    for place, path in enumerate(sorted(p for p in folder.rglob('*') if p.is_file())):
        part = folder / ('val' if place >= 8 else 'train')  # pairs of a photo and its file
        part.mkdir(exist_ok=True)
        path.rename(part / path.name)
    done = prepare_source('labelme', [folder], tmp_path / 'mine')
    assert 'parts: as the source has them' in done.lines
    assert read_dataset_file(tmp_path / 'mine')['counts'] == {'train': 4, 'val': 2, 'test': 0}


def _cvat_with_subsets(root, subsets):
    (folder,) = own_sources.cvat(root, len(subsets))
    file, left = folder / 'annotations.xml', iter(subsets)
    text = re.sub('<image ', lambda _: f'<image subset="{next(left)}" ', file.read_text())
    file.write_text(text)
    return folder


@pytest.mark.parametrize(
    'subsets',
    ['Train Train Validation Train Later Train', 'Train default Train', 'Test default Test'],
)
def test_subsets_of_cvat_beside_its_parts_are_named(tmp_path, subsets):
    folder = _cvat_with_subsets(tmp_path, subsets.split())
    with pytest.raises(UserError, match=r'there is (Later/)?.*: move it into train, val or test'):
        prepare_source('cvat', [folder], tmp_path / 'mine')


@pytest.mark.parametrize(
    ('subsets', 'counts'),
    [
        ('Train Train Validation Train Test Train', [4, 1, 1]),
        ('Train Test Test', [1, 2, 0]),
        ('Train Train Train Train', [2, 1, 1]),  # one part alone is none
        ('Test Test Test Test', [3, 1, 0]),
    ],
)
def test_parts_of_cvat_are_its_subsets(tmp_path, subsets, counts):
    folder = _cvat_with_subsets(tmp_path, subsets.split())
    done = prepare_source('cvat', [folder], tmp_path / 'mine')
    assert list(read_dataset_file(tmp_path / 'mine')['counts'].values()) == counts
    alone = len(set(subsets.split())) == 1
    assert any('alone, which is divided' in line for line in done.lines) is alone


def test_parts_without_one_for_training_are_refused(tmp_path):
    folder = _cvat_with_subsets(tmp_path, ['Test', 'Validation', 'Test'])
    with pytest.raises(UserError, match=r'no picture is for training: .* of train is missing'):
        prepare_source('cvat', [folder], tmp_path / 'mine')


def test_frames_of_a_video_of_cvat_have_no_suffix_in_its_file(tmp_path):
    (folder,) = own_sources.cvat(tmp_path, 4)
    file, number = folder / 'annotations.xml', itertools.count()
    names = re.findall('<image id="[0-9]+" name="([^"]*)"', file.read_text())
    for i, name in enumerate(names):
        Image.open(folder / 'images' / name).save(folder / f'images/frame_{i:06}.PNG')
        (folder / 'images' / name).unlink()
    text = re.sub(' name="[^"]*"', lambda _: f' name="frame_{next(number):06}"', file.read_text())
    file.write_text(text)
    prepare_source('cvat', [folder], tmp_path / 'mine')
    masks = [*(tmp_path / 'mine/masks').rglob('*.png')]
    assert len(masks) == 4
    for path in masks:
        assert (read_mask(path) == scene(int(path.stem[-6:])).mask).all()


@pytest.mark.parametrize('kind', ['coco', 'cvat'])
def test_names_are_found_as_other_systems_write_them(tmp_path, kind):
    paths = getattr(own_sources, kind)(tmp_path)
    for path in find_pictures(tmp_path):
        name = unicodedata.normalize('NFD', path.name.replace('Straße', 'Gelände'))
        path.rename(path.with_name(name).with_suffix(path.suffix.swapcase()))
    file = paths[0] if kind == 'coco' else paths[0] / 'annotations.xml'
    text = file.read_text().replace(json.dumps('ß')[1:-1], 'ß').replace('Straße', 'Gelände')
    file.write_text(unicodedata.normalize('NFC', text))
    done = prepare_source(kind, paths, tmp_path / 'mine')
    assert sum(read_dataset_file(done.folder)['counts'].values()) == 10 and not done.warnings


def test_blanks_around_a_label_make_no_other_class(tmp_path):
    (folder,) = own_sources.labelme(tmp_path, 4)
    file = next(folder.rglob('*.json'))
    file.write_text(file.read_text().replace('"car"', '"car "'))
    prepare_source('labelme', [folder], tmp_path / 'mine')
    classes = read_dataset_file(tmp_path / 'mine')['classes']
    assert [entry['name'] for entry in classes] == list(NAMES)


def _red_masks(root, colours):
    for i, colour in enumerate(colours):
        save(scene(i).photo, root / f'photos/{i}.jpg')
        save(np.uint8(colour) * (scene(i).mask[..., None] > 0), root / f'masks/{i}.png')
    return [root / 'photos', root / 'masks']


def test_classes_of_added_files_get_names_of_their_own(tmp_path):
    red = (255, 0, 0)
    prepare_source('folder', _red_masks(tmp_path, [red] * 4), tmp_path / 'mine')
    prepare_source('folder', _red_masks(tmp_path, [red] * 4 + [(248, 0, 0)]), tmp_path / 'mine')
    classes = read_dataset_file(tmp_path / 'mine')['classes']
    assert [entry['name'] for entry in classes] == ['background', 'red', 'red_2']


def test_added_masks_of_another_kind_are_refused(tmp_path):
    white = (255, 255, 255)
    prepare_source('folder', _red_masks(tmp_path, [white] * 4), tmp_path / 'mine')
    paths = _red_masks(tmp_path, [white] * 4 + [(255, 0, 0)])
    with pytest.raises(UserError, match=r'taken for colours now, but were for numbers .*--out'):
        prepare_source('folder', paths, tmp_path / 'mine')
    assert check(tmp_path / 'mine').wrong == []


def test_folders_of_classes_keep_their_names(tmp_path):
    paths = own_sources.classes(tmp_path)
    done = prepare_source('classes', paths, tmp_path / 'mine')
    text = (tmp_path / 'mine/dataset.yaml').read_text()
    swapped = text.replace('name: car', 'name: x').replace('name: tree', 'name: car')
    (tmp_path / 'mine/dataset.yaml').write_text(swapped.replace('name: x', 'name: tree'))
    for _ in range(2):
        data = build(done.config)[2]
        infos = [data.get_data_info(i) for i in range(len(data))]
        assert data.metainfo['classes'] == ('tree', 'car')
        assert {(Path(i['img_path']).parent.name, i['gt_label']) for i in infos} == {
            ('car', 0), ('tree', 1)}  # fmt: skip
        assert check(tmp_path / 'mine').wrong == []
        prepare_source('classes', paths, tmp_path / 'mine')


def test_lines_of_yolo_names_are_taken_as_they_stand(tmp_path):
    (folder,) = own_sources.yolo(tmp_path)
    (folder / 'data.yaml').unlink()
    (folder / 'classes.txt').write_text(f'#1, a\n\n{NAMES[1]}\n')
    for path in (folder / 'labels').rglob('*.txt'):
        path.write_text('0 0.1 0.1 0.5 0.1 0.5 0.5\n2 0.6 0.6 0.9 0.6 0.9 0.9\n')
    done = prepare_source('yolo', [folder], tmp_path / 'mine')
    classes = read_dataset_file(done.folder)['classes']
    assert [c['name'] for c in classes] == ['background', '#1, a', NAMES[1]]


@pytest.mark.parametrize('kind', ['classes', 'labelme', 'folder colours', 'depth'])
def test_pictures_of_unread_kinds_are_named(tmp_path, kind):
    kind, source, options = KINDS[kind]
    paths = source(tmp_path)
    (paths[0] / 'deeper').mkdir()
    (paths[0] / 'deeper/photo.HEIC').write_bytes(b'heic')
    done = prepare_source(kind, paths, tmp_path / 'mine', **options)
    assert '1 picture of a kind that is not read' in done.warnings[-1]
    assert 'photo.HEIC' in done.warnings[-1]
    assert done.warnings[-1] in [finding.what for finding in check(done.folder).findings]
    found, skipped = find_inputs(paths[0])
    assert found and [path.name for path, _ in skipped] == ['photo.HEIC']


@pytest.mark.parametrize(
    'line',
    [None, './{place}/{name}\n', 'C:\\set\\{name}\r\n'],
    ids=['folders', 'lists', 'lists of Windows'],
)
def test_parts_that_yolo_names_are_kept(tmp_path, line):
    (folder,) = own_sources.yolo(tmp_path, 6)
    for kind in ('images', 'labels'):
        (folder / kind / 'train').rename(folder / kind / 'first')
        (folder / kind / 'val').rename(folder / kind / 'second')
    parts = {'train': 'images/first', 'val': 'images/second'}
    kept = ['second/0', 'second/3']
    if line and line.startswith('.'):
        kept[0] = 'second/1'  # a name that is in both parts
        for path in [*folder.glob('*/second/0.*')]:
            path.rename(path.with_stem('1'))
    if line:
        for part, place in parts.items():
            names = sorted(path.name for path in (folder / place).iterdir())
            text = ''.join(line.format(place=place, name=name) for name in names)
            (folder / f'{part}.txt').write_bytes(text.encode('utf-8-sig'))
        parts = {'train': 'train.txt', 'val': 'val.txt'}
    file = folder / 'data.yaml'
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **parts}))
    prepare_source('yolo', [folder], tmp_path / 'mine')
    found = read_dataset_file(tmp_path / 'mine')['names']
    assert sorted(found['val']) == kept
    assert len(found['train']) == 4


@pytest.mark.parametrize('kind', ['folder', 'classes'])
def test_what_is_beside_ready_parts_is_named(tmp_path, kind):
    for i, part in enumerate(('train', 'val', 'extra') * 2):
        for label in ('cat', 'dog'):
            save(scene(i).photo, tmp_path / f'photos/{part}/{label}/{label}{i}.jpg')
            save(scene(i).mask, tmp_path / f'masks/{part}/{label}/{label}{i}.png')
    paths = [tmp_path / 'photos', tmp_path / 'masks'][: 2 if kind == 'folder' else 1]
    with pytest.raises(UserError, match=r'there is extra.*: move it into train, val or test'):
        prepare_source(kind, paths, tmp_path / 'mine')


def _write_classes(root, places):
    for place in places:
        for i in range(4):
            save(scene(i).photo // (1 + len(place)), root / place / f'{i}.jpg')
    return prepare_source('classes', [root], root.parent / 'mine')


def test_a_class_may_have_the_name_of_a_part(tmp_path):
    done = _write_classes(tmp_path / 'set', ('bus/a', 'train/a', 'car'))
    assert 'classes: bus, car, train' in done.lines


def test_parts_are_those_folders_that_hold_pictures(tmp_path):
    (tmp_path / 'set/__MACOSX/train').mkdir(parents=True)
    done = _write_classes(tmp_path / 'set', ('train/a', 'train/bb', 'val/a', 'val/bb'))
    assert 'classes: a, bb' in done.lines


def test_parts_of_other_names_are_doubted(tmp_path):
    done = _write_classes(tmp_path / 'set', ('s_train/a', 's_train/bb', 's_val/a', 's_val/bb'))
    assert any('s_val hold the same folders, a, bb, as parts do' in x for x in done.warnings)


@pytest.mark.parametrize('part', ['val', 'test'])
def test_a_part_that_is_small_or_lacks_a_class_is_doubted(tmp_path, part):
    other = 'test' if part == 'val' else 'val'
    places = ('train/a', 'train/bb', f'{part}/a', f'{other}/a', f'{other}/b', f'{other}/bb')
    _write_classes(tmp_path / 'set', places)
    doubts = [finding.what for finding in check(tmp_path / 'mine').doubts]
    assert f'only 4 pictures to {"validate" if part == "val" else "test"}' in doubts
    assert f"class 'b' is in no picture of {part}, and 1 more" in doubts


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_pictures_that_are_not_finite_are_not_loaded(tmp_path, value):
    picture = np.zeros((4, 8, 8), np.float32)
    picture[1, 2, 3] = value
    tifffile.imwrite(tmp_path / 'a.tif', picture, photometric='minisblack')
    with pytest.raises(UserError, match=r"picture '.*a.tif' holds nan or infinity"):
        LoadPicture(channels=4)(dict(img_path=str(tmp_path / 'a.tif')))


def test_names_without_colours_say_which_colour_each_got(tmp_path):
    paths = own_sources.folder_colours(tmp_path)
    for path in tmp_path.glob('*.txt'):
        path.unlink()
    done = prepare_source('folder', paths, tmp_path / 'mine', classes='background,tree,car')
    says = 'in the order of the colours, #000000 background, #14a028 tree, #c81e1e car'
    assert f'classes: {says}' in done.lines


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('names: {0: a, 1: b, 3: c}', 'numbers its classes 0, 1, 3: number them from 0 on'),
        ('names: [a, b, a]', "class 'a' is named twice"),
        ('{a: [0, 0, 0], b: [300, 1, 1]}', 'the colour 300, 1, 1 is none'),
        ('names: [a, "", c]', 'class 1 of .* has no name'),
    ],
)
def test_files_of_names_that_mean_nothing_are_refused(tmp_path, text, says):
    path = tmp_path / 'names.yaml'
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read_names(str(path))


def test_orientation_of_photos_is_followed(tmp_path):
    made = scene(0)
    for i in range(4):
        stored = np.rot90(made.photo)  # the camera was turned; orientation 6 turns it back
        exif = Image.Exif()
        exif[274] = 6
        (tmp_path / 'photos').mkdir(exist_ok=True)
        Image.fromarray(stored).save(tmp_path / f'photos/{i}.jpg', exif=exif, quality=95)
        mask = made.mask if i % 2 else np.rot90(made.mask)  # drawn as shown, or as stored
        save(np.ascontiguousarray(mask), tmp_path / f'masks/{i}.png')
    done = prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    masks = [*(tmp_path / 'mine/masks').rglob('*.png')]
    assert len(masks) == 4
    assert all((read_mask(path) == made.mask).all() for path in masks)
    _, _, predicted = train_and_predict(done.config)
    assert predicted.pred_sem_seg.shape == SIZE


def test_link_copies_nothing(tmp_path):
    paths = own_sources.folder_numbers(tmp_path)
    prepare_source('folder', paths, tmp_path / 'mine', link=True)
    pictures = [p for p in (tmp_path / 'mine/images').rglob('*') if not p.is_dir()]
    assert len(pictures) == 10 and all(p.is_symlink() for p in pictures)


def test_photos_in_the_folder_of_their_depth_are_no_frames_of_it(tmp_path):
    photos, depths = own_sources.depth(tmp_path)
    photos = photos.rename(depths / 'photos')
    done = prepare_source('depth', [photos, depths], tmp_path / 'mine', unit='mm')
    assert not done.warnings


def test_linked_folders_are_read(tmp_path):
    (root,) = own_sources.classes(tmp_path)
    (root / 'car').rename(tmp_path / 'elsewhere')
    (root / 'car').symlink_to(tmp_path / 'elsewhere')
    (root / 'tree/round').symlink_to(root)  # in a circle
    done = prepare_source('classes', [root], tmp_path / 'mine')
    assert 'classes: car, tree' in done.lines
    assert sum(read_dataset_file(done.folder)['counts'].values()) == 12


@pytest.mark.parametrize('kind', ['labelme', 'yolo', 'coco'])
def test_files_of_macos_and_of_windows_are_read(tmp_path, kind):
    folder = tmp_path / 'set'
    paths = getattr(own_sources, kind)(tmp_path)
    if kind == 'coco':
        (folder / 'train').mkdir(parents=True)
        paths[0].rename(folder / 'train/_annotations.coco.JSON')
    for path in [p for p in folder.rglob('*') if p.suffix in ('.json', '.txt', '.JSON')]:
        resource = folder / '__MACOSX' / path.parent.relative_to(folder) / f'._{path.name}'
        resource.parent.mkdir(parents=True, exist_ok=True)
        resource.write_bytes(b'\0\5\x16\7')
        path.rename(path.with_suffix(path.suffix.upper()))
    done = prepare_source(kind, [folder, *paths[1:]], tmp_path / 'mine')
    assert sum(read_dataset_file(done.folder)['counts'].values()) == 10 and not done.warnings


def test_refused_source_leaves_the_old_data_set(tmp_path):
    paths = own_sources.folder_numbers(tmp_path)
    prepare_source('folder', paths, tmp_path / 'mine')
    before = {p: p.read_bytes() for p in (tmp_path / 'mine').rglob('*') if p.is_file()}
    broken = next((tmp_path / 'photos').rglob('*.jpg'))
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(UserError, match=broken.stem):
        prepare_source('folder', paths, tmp_path / 'mine')
    assert {p: p.read_bytes() for p in (tmp_path / 'mine').rglob('*') if p.is_file()} == before
    assert not list(tmp_path.glob('.*'))


@pytest.mark.parametrize(
    ('file', 'text'),
    [
        ('a.txt', 'void 0 0 0\nlabel_1 255 128 0\n'),
        ('a.txt', '0 0 0\tvoid\n255\t128\t0 label_1\n'),
        ('labelmap.txt', '# label:color_rgb:parts:actions\nvoid:0,0,0::\nlabel_1:255,128,0::\n'),
        ('class_dict.csv', 'name,r,g,b\nvoid,0,0,0\nlabel_1,255,128,0\n'),
        ('a.txt', '#000000 void\n#ff8000 label_1\n'),
        ('a.json', '{"void": [0, 0, 0], "label_1": [255, 128, 0]}'),
        (
            'a.yaml',
            'classes:\n- {name: void, colour: "#000000"}\n- {name: label_1, color: "#ff8000"}',
        ),
    ],
)
def test_names_and_colours_are_read(file, text, tmp_path):
    (tmp_path / file).write_text(text)
    found = read_names(str(tmp_path / file))
    assert found == [('void', (0, 0, 0)), ('label_1', (255, 128, 0))]


def test_names_keep_the_order_of_their_numbers(tmp_path):
    paths = own_sources.folder_numbers(tmp_path)
    for path in (tmp_path / 'masks').rglob('*.png'):
        save(read_mask(path) * 2, path)  # they hold 0, 2 and 4
    prepare_source('folder', paths, tmp_path / 'mine', classes='a,b,c,never,e')
    content = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text())
    assert [c['name'] for c in content['classes']] == ['a', 'b', 'c', 'never', 'e']
    first = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text())['names']['train'][0]
    path = next((tmp_path / 'mine/masks/train').rglob(f'{first.split("/")[-1]}.png'))
    number = int(''.join(c for c in path.stem if c.isdigit()))
    assert (read_mask(path) == scene(number).mask * 2).all()


def test_known_palette_gives_names(tmp_path):
    palette = np.array([[128, 128, 128], [128, 0, 0], [128, 64, 128]], np.uint8)  # CamVid's
    for made in own_sources.photos(tmp_path / 'photos', 6):
        save(palette[made.mask], tmp_path / f'masks/{made.name}.png')
    done = prepare_source('folder', [tmp_path / 'photos', tmp_path / 'masks'], tmp_path / 'mine')
    content = yaml.safe_load((tmp_path / 'mine/dataset.yaml').read_text())
    assert {c['name'] for c in content['classes']} == {'sky', 'building', 'road'}
    assert 'classes: the colours are those of CamVid' in done.lines


def test_smooth_masks_are_taken_with_a_tolerance(tmp_path):
    paths = own_sources.folder_colours(tmp_path)
    for path in list((tmp_path / 'masks').rglob('*.png')):
        Image.open(path).save(path.with_suffix('.jpg'), quality=95, subsampling=0)
        path.unlink()
    (tmp_path / 'palette.txt').write_text(
        ''.join(f'{n} {r} {g} {b}\n' for n, (r, g, b) in zip(NAMES, COLOURS))
    )
    options = dict(classes=str(tmp_path / 'palette.txt'), tolerance=150)
    prepare_source('folder', paths, tmp_path / 'mine', **options)
    wrong = [
        (read_mask(path) != scene(int(''.join(c for c in path.stem if c.isdigit()))).mask).mean()
        for path in (tmp_path / 'mine/masks').rglob('*.png')
    ]
    assert len(wrong) == 10 and max(wrong) < 0.1


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bits_are_not_cut_to_8_without_a_word(suffix, tmp_path):
    pixels = np.arange(60000, 60000 + 32 * 40, dtype=np.uint16).reshape(32, 40)
    path = str(save(pixels, tmp_path / f'a{suffix}'))
    for kind in ('color', 'grayscale'):
        with pytest.raises(UserError, match=r'has 16 bits a channel.*sacm_mm.LoadPicture'):
            LoadImageFromFile(color_type=kind)(dict(img_path=path))
    loaded = LoadPicture(channels=1)(dict(img_path=path))['img']
    assert loaded.dtype == np.float32 and (loaded[..., 0] == pixels).all()


@pytest.mark.parametrize(
    ('size', 'patch'), [((120, 90), 4), ((160, 120), 8), ((1920, 1080), 8), ((640, 480), 16)]
)
def test_depth_on_cpus_has_few_tokens(tmp_path, size, patch):
    done = prepare_source('depth', own_sources.depth(tmp_path), tmp_path / 'mine', unit='mm')
    content = read_dataset_file(done.folder)
    content['pictures']['size']['median'] = list(size)
    values = template_values(content, 'mine', '')
    if not values['gpu']:
        assert values['patch'] == patch
        assert 15 <= min(values['scale']) / patch <= 30
        assert f"arch='d256-l12-k5-p{patch}'" in config_text(values)


def test_depth_is_drawn_in_the_range_of_the_data(tmp_path):
    """Every ready config drew it up to 10 m: all that was farther had one colour."""
    done = prepare_source('depth', own_sources.depth(tmp_path), tmp_path / 'mine', unit='mm')
    cfg = load_config(str(done.config))
    assert cfg.visualizer.max_depth == cfg.model.decode_head.max_depth < 6
    content = read_dataset_file(done.folder)
    content['depth']['metric'] = False
    assert "label='disparity (px)'" in config_text(template_values(content, 'mine', ''))


def test_folder_stands_for_its_config(tmp_path, monkeypatch):
    done = prepare_source('folder', own_sources.folder_binary(tmp_path), tmp_path / 'mine')
    monkeypatch.chdir(tmp_path)
    assert find_config('mine').resolve() == done.config
    assert find_config(str(tmp_path / 'mine')) == done.config


def test_what_people_put_into_a_data_set_is_not_lost(tmp_path):
    paths = own_sources.folder_binary(tmp_path)
    prepare_source('folder', paths, tmp_path / 'mine')
    (tmp_path / 'mine/best.pth').write_text('weights')
    with pytest.raises(UserError, match=r"best.pth' is not of 'sacm data'.*move it elsewhere"):
        prepare_source('folder', paths, tmp_path / 'mine')
    assert (tmp_path / 'mine/best.pth').read_text() == 'weights'


def test_pictures_that_people_add_to_a_data_set_are_not_lost(tmp_path):
    paths = own_sources.folder_binary(tmp_path)
    prepare_source('folder', paths, tmp_path / 'mine')
    save(scene(20).photo, tmp_path / 'mine/images/train/new.jpg')
    with pytest.raises(UserError, match=r"new.jpg' was added by hand.* move it to the source"):
        prepare_source('folder', paths, tmp_path / 'mine')
    assert (tmp_path / 'mine/images/train/new.jpg').is_file()


def edit_mask(folder: Path) -> Path:
    mask = sorted(folder.glob('masks/train/*.png'))[0]
    with Image.open(mask) as image:
        image.putpixel((0, 0), 1 - image.getpixel((0, 0)))
        image.save(mask)
    return mask


def remove_picture(folder: Path) -> Path:
    sorted(folder.glob('images/train/*'))[0].unlink()
    return folder


@pytest.mark.parametrize('edit', [edit_mask, remove_picture])
def test_what_people_edit_in_a_data_set_is_not_lost(edit, tmp_path):
    paths = own_sources.folder_binary(tmp_path)
    prepare_source('folder', paths, tmp_path / 'mine', link=True)
    (paths[0] / 'Straße 3.jpg').unlink()  # which breaks a link
    prepare_source('folder', paths, tmp_path / 'mine', link=True)
    edited = edit(tmp_path / 'mine')
    before = {path: path.read_bytes() for path in (tmp_path / 'mine/masks').rglob('*.png')}
    with pytest.raises(UserError, match=rf"'.*{edited.name}.*do the same to the source"):
        prepare_source('folder', paths, tmp_path / 'mine', link=True)
    assert {path: path.read_bytes() for path in before} == before
    listing = tmp_path / 'mine/dataset.yaml'
    lines = listing.read_text(encoding='utf-8').splitlines(keepends=True)
    listing.write_text(''.join(x for x in lines if not x.startswith('files:')), encoding='utf-8')
    prepare_source('folder', paths, tmp_path / 'mine', link=True)
