"""sacm_mm.load and ``sacm predict``: what comes out, and that nothing is replaced or hidden."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import CAMVID, TINY_CIFAR, call_tool, read_depth
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmseg.apis import inference_model
from PIL import Image

import sacm_mm
from sacm_mm import UserError
from sacm_mm.apis.find_model import find_model
from sacm_mm.apis.models import load_model
from sacm_mm.apis.outputs import Wanted
from sacm_mm.apis.predict import predict_files
from sacm_mm.apis.tiles import cut
from sacm_mm.core.configs import test_pipeline as pipeline_of
from sacm_mm.core.files import write_image
from sacm_mm.visualization.class_scores import draw_class_scores

RESULTS = Path(__file__).resolve().parents[1] / 'results'
PUBLISHED = sorted(path.parent.name for path in RESULTS.glob('*/weights.pth'))


def photo(height=48, width=64, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope='module')
def model(trained):
    return sacm_mm.load(trained, device='cpu')


@pytest.fixture
def folder(tmp_path):
    """Pictures of equal stems and of equal names in two folders."""
    folder = tmp_path / 'photos'
    for i, name in enumerate(('a.jpg', 'a.png', 'B.JPG', 'deep/er/a.jpg', 'sp ace ü.png')):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(photo(40 + i), folder / name.lower())
        (folder / name.lower()).rename(folder / name)
    return folder


def names(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and path.name[0] != '.'
    )


# ------------------------------------------------------------------ the front door


def test_a_work_dir_says_all(model, trained, data):
    picture = str(min((data / 'test').iterdir()))
    result = model.predict(picture)
    network, _ = load_model(*find_model(trained))
    network.cfg = model.cfg
    network.cfg.test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    wanted = inference_model(network, picture).pred_sem_seg.data[0].numpy()
    assert (result.classes == wanted).all()
    assert result.classes.shape == (48, 64)
    assert result.names[3] == 'road'
    assert result.scores.shape == (11, 48, 64)
    assert np.allclose(result.scores.sum(axis=0), 1, atol=1e-5)
    assert (result.scores.argmax(axis=0) == result.classes).all()
    assert result.depth is None
    assert result.label is None


def test_classes_of_one_name_have_bars_of_their_own():
    """Two were drawn as one, the longer over the shorter: ImageNet has `crane` twice."""
    image, scores = np.zeros((32, 32, 3), np.uint8), np.array([0.5, 0.3, 0.2])
    drawn = draw_class_scores(image, ['crane', 'crane', 'stork'], scores)
    blue = (np.abs(drawn.astype(int) - (0, 0x72, 0xB2)) < 8).all(2)
    column = blue.any(0).argmax() + 4  # near the left ends of the bars
    assert (np.diff(blue[:, column].astype(int)) == 1).sum() == 3


def test_lists_of_any_size_are_predicted_as_one_by_one(model):
    pictures = [photo(40, 50), photo(33, 47, seed=1), photo(40, 50, seed=2)]
    results = model.predict(pictures, batch=2)
    for picture, result in zip(pictures, results):
        assert result.image.shape == picture.shape
        assert (result.classes == model.predict(picture).classes).mean() > 0.999


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'LA', 'P', '1'])
def test_a_picture_of_pillows_is_taken_as_its_file(model, mode, tmp_path):
    path = tmp_path / 'photo.png'
    exif = Image.Exif()
    exif[274] = 6  # turned
    Image.fromarray(photo()).convert(mode).save(path, exif=exif)
    with Image.open(path) as opened:
        taken = model.prepare(opened).sample['inputs']
    torch.testing.assert_close(taken, model.prepare(path).sample['inputs'], rtol=0, atol=0)
    assert taken.shape == (3, 64, 48)


@pytest.mark.parametrize('thing', [None, 5, [None], torch.zeros(2, 8, 9)])
def test_what_is_no_picture_is_refused(model, thing):
    with pytest.raises(UserError, match='is no picture: give a path, an array'):
        model.predict(thing)


def test_drawing(model, tmp_path):
    result = model.predict(photo())
    assert (result.draw(opacity=0) == result.image).all()
    assert (result.draw(opacity=1) == result.colours()).all()
    assert result.draw(legend=True).shape[0] > 48
    result.save(tmp_path / 'r.png')
    assert cv2.imread(str(tmp_path / 'r.png')).shape == (48, 64, 3)


def test_a_published_model_by_its_name():
    result = sacm_mm.load('camvid_light', device='cpu', threads=1).predict(photo(60, 80))
    assert result.classes.shape == (60, 80)
    assert 'bicyclist' in result.names


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_published_model_says_how_pictures_come_to_it(name):
    cfg, weights = find_model(name)
    assert Path(weights).is_file() and pipeline_of(cfg)


@pytest.mark.parametrize(
    ('array', 'says'),
    [
        (np.zeros((8, 9, 3)), 'the array is float64, but the network takes uint8'),
        (np.zeros((8, 9, 3), np.uint16), 'the array is uint16'),
        (np.zeros((0, 9, 3), np.uint8), r'the array is \(0, 9, 3\): give'),
        (np.zeros((1, 8, 9, 3), np.uint8), r'the array is \(1, 8, 9, 3\): give'),
    ],
)
def test_arrays_that_mean_something_else_are_refused(array, says):
    with pytest.raises(UserError, match=says):
        sacm_mm.load('camvid_light', device='cpu', fast=False).predict(array)


def test_the_best_checkpoint_is_taken(trained, work):
    shutil.copytree(trained, work)
    shutil.copy(work / 'iter_4.pth', work / 'best_mIoU_iter_2.pth')
    assert find_model(work)[1] == str(work / 'best_mIoU_iter_2.pth')
    assert find_model(work / 'iter_4.pth')[1] == str(work / 'iter_4.pth')


def test_names_that_are_no_model(tmp_path):
    with pytest.raises(UserError, match='holds no config'):
        sacm_mm.load(tmp_path)
    with pytest.raises(UserError, match='is a config alone'):
        sacm_mm.load(CAMVID)
    with pytest.raises(UserError, match=r"is a config alone.* its published model 'camvid_light'"):
        sacm_mm.load('sacm_camvid_light')
    with pytest.raises(UserError, match='does not exist: did you mean'):
        sacm_mm.load('sacm_camvd.py')
    for name in ('camvid-light', 'runs/camvidlight'):
        with pytest.raises(UserError, match=f"named '{name}': did you mean camvid_light"):
            sacm_mm.load(name)
    torch.save({}, tmp_path / 'w.pth')
    with pytest.raises(UserError, match='no config beside'):
        sacm_mm.load(tmp_path / 'w.pth')


def test_the_original_config_beside_weights_of_another_arch(trained):
    with pytest.raises(UserError, match=rf"is of another model .* name its folder '{trained}'"):
        sacm_mm.load(CAMVID, trained)


def test_a_classifier_names_its_label(cifar_root, tmp_path, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    work = tmp_path / 'work'
    assert (
        call_tool('train', 'sacm_cifar10.py', '--work-dir', work, '--cfg-options', *TINY_CIFAR) == 0
    )
    model = sacm_mm.load(work)
    first, second = model.predict([photo(90, 120), photo(32, 32)])
    assert first.label == first.names[first.scores.argmax()]
    assert first.scores.sum() == pytest.approx(1, abs=1e-5)
    assert second.draw().shape[1] > 300
    write_image(photo(), tmp_path / 'in/a.png')
    with pytest.raises(UserError, match='gives no masks: choose --save of overlay,json,csv'):
        predict_files(model, tmp_path / 'in', tmp_path / 'out', Wanted(('masks',)))


# ------------------------------------------------------------------------- tiles


@pytest.mark.parametrize('shape', [(100, 130), (64, 64), (37, 300)])
def test_tiles_cover_every_pixel_once(shape):
    seen = np.zeros(shape, int)
    for tile in cut(shape, 64, 16, 4):
        seen[tile.inner] += 1
        assert tile.outer[0].start % 4 == tile.outer[1].start % 4 == 0
        assert seen[tile.outer][tile.kept].min() >= 1
    assert (seen == 1).all()


def test_no_tile_is_a_rest_that_the_network_does_not_take():
    """Beside tiles of 64 pixels that do not overlap, the last of 129 was one pixel wide."""
    tiles = list(cut((129, 129), 64, 0, 4))
    assert {tile.outer[1].stop - tile.outer[1].start for tile in tiles} == {61, 64}
    assert tiles[-1].outer[1].stop == 129


def test_tiles_are_equal_to_the_whole(model):
    picture = photo(150, 170)
    whole = model.predict(picture).classes
    # all of it: what is kept of a tile sees nothing of its edges
    assert (model.predict(picture, tile=64).classes == whole).all()
    assert (model.predict(picture, tile=64, overlap=32).classes == whole).all()
    with pytest.raises(UserError, match='do not advance: let --tile be at least 68'):
        model.predict(picture, tile=32, overlap=64)


def test_tiles_at_another_scale_than_the_network_knows_are_told(model, folder, tmp_path):
    said = []
    picture = next(folder.glob('*.jpg'))
    predict_files(model, picture, tmp_path / 'a', Wanted(tile=64), said.append)
    assert not any('note' in line for line in said)
    cfg = copy.deepcopy(model.cfg)
    cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(32, 32)))
    init_default_scope('mmseg')
    resizing = type(model)(model.network, cfg, {'classes': model.names, 'palette': model.palette})
    predict_files(resizing, picture, tmp_path / 'b', Wanted(tile=64), said.append)
    assert any('config resizes pictures to (32, 32) first' in line for line in said)


@pytest.mark.slow
def test_a_huge_picture_takes_less_than_4_gb(trained, tmp_path):
    piece = photo(40, 80)  # whole patches
    rows = np.tile(piece, (500, 250, 1))  # 20,000 x 20,000, small as a file
    write_image(rows, tmp_path / 'huge.png')
    del rows
    code = (
        'import resource, sys\n'
        'from sacm_mm.cli.main import main\n'
        'code = main(sys.argv[1:])\n'
        'print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n'
        'sys.exit(code)'
    )
    arguments = ['predict', tmp_path / 'huge.png', trained, '--tile', '1000', '--overlap', '40',
                 '--save', 'masks,overlay,json', '--out', tmp_path / 'out']  # fmt: skip
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    peak = int(re.search(r'peak (\d+)', done.stdout).group(1)) * 1024  # Linux counts in KiB
    assert peak < 4e9
    mask = cv2.imread(str(tmp_path / 'out/masks/huge.png'), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (20_000, 20_000)
    # the picture repeats: so do the tiles' insides, and they are what a small one gives
    small = sacm_mm.load(trained).predict(np.tile(piece, (6, 6, 1))).classes
    assert (mask[5000:5080, 8000:8160] == small[80:160, 160:320]).all()


# ------------------------------------------------------------------- files that are written


def test_equal_names_keep_their_own_files(model, folder, tmp_path):
    out = tmp_path / 'out'
    outcome = predict_files(model, folder, out, Wanted(('overlay', 'masks', 'json', 'csv')))
    assert not outcome.skipped
    pictures = ['B.png', 'a.jpg.png', 'a.png.png', 'deep/er/a.png', 'sp ace ü.png']
    assert names(out / 'overlay') == names(out / 'masks') == pictures
    for source, name in (('a.jpg', 'a.jpg.png'), ('B.JPG', 'B.png'), ('deep/er/a.jpg',) * 2):
        mask = cv2.imread(str((out / 'masks' / name).with_suffix('.png')), cv2.IMREAD_UNCHANGED)
        assert (mask == model.predict(folder / source).classes).all()
    rows = json.loads((out / 'predictions.json').read_text())['pictures']
    assert [row['height'] for row in rows] == [42, 40, 41, 44, 43]
    assert sum(rows[0]['shares'].values()) == pytest.approx(1, abs=1e-4)
    assert len((out / 'predictions.csv').read_text().splitlines()) == 6


@pytest.mark.parametrize('overwrite', [False, True])
def test_inputs_are_never_replaced(model, folder, overwrite):
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    (folder / 'a.jpg').unlink()  # a.png would go to a.png
    del before['a.jpg']
    with pytest.raises(UserError, match='is an input and would be replaced'):
        predict_files(model, folder, folder, Wanted(overwrite=overwrite))
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_files_of_others_stay_and_own_ones_are_replaced(model, folder, tmp_path):
    out = tmp_path / 'out'
    predict_files(model, folder, out)
    predict_files(model, folder, out)  # its own
    (out / 'B.png').write_text('edited by hand')
    with pytest.raises(UserError, match=r"B.png' exists and is not overwritten"):
        predict_files(model, folder, out)
    assert (out / 'B.png').read_text() == 'edited by hand'
    predict_files(model, folder, out, Wanted(overwrite=True))
    assert cv2.imread(str(out / 'B.png')) is not None


def test_what_cannot_be_read_is_named_and_counted(run_tool, trained, folder, tmp_path):
    (folder / 'broken.png').write_bytes(b'no picture')
    (folder / 'empty.jpg').touch()
    np.save(folder / 'array.npy', photo())  # our loader takes it, this model's does not
    (folder / '._a.jpg').write_bytes(b'left by another system')
    os.mkfifo(folder / 'pipe.png')
    half = cv2.imencode('.jpg', photo(200, 200))[1].tobytes()
    (folder / 'half.jpg').write_bytes(half[: len(half) // 2])
    write_image(photo(1, 1), folder / 'tiny.png')
    (folder / 'short.mp4').write_bytes(b'no video')
    (folder / os.fsdecode(b'\xff.png')).write_bytes((folder / 'a.png').read_bytes())
    (folder / 'linked').symlink_to(folder / 'deep')
    out = tmp_path / 'out'
    done = run_tool('demo', folder, trained, '--out', out, '--batch', 4)
    assert done.code == 3, done.err
    left_out = [line for line in done.out.splitlines() if line.startswith('left out')]
    for name in (
        'broken.png',
        'empty.jpg',
        '._a.jpg',
        'pipe.png',
        'half.jpg',
        'tiny.png',
        'short',
        'array.npy',
        'linked',
    ):
        assert sum(f'/{name}' in line.partition(': ')[0] for line in left_out) == 1, name
    assert len(left_out) == 9
    assert '9 inputs left out' in done.out.splitlines()[-1]
    assert len(list(out.rglob('*.png'))) == 6


def test_a_video_whose_header_does_not_say_how_long_it_is(model, tmp_path, monkeypatch):
    source = tmp_path / 'in/clip.mp4'
    source.parent.mkdir()
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for level in (0, 120, 240):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    counted = cv2.VideoCapture

    class Uncounted:
        """Around a capture, not a subclass, which OpenCV would not free in the right way."""

        def __init__(self, path):
            self.path, self.capture = path, counted(path)

        def __getattr__(self, name):
            return getattr(self.capture, name)

        def get(self, key):
            lacks = key == cv2.CAP_PROP_FRAME_COUNT and self.path == str(source)
            return -1 if lacks else self.capture.get(key)

    monkeypatch.setattr(cv2, 'VideoCapture', Uncounted)
    out = tmp_path / 'out'
    predict_files(model, source, out, Wanted(('overlay', 'masks')))
    assert names(out) == [
        'masks/clip/000000.png', 'masks/clip/000001.png', 'masks/clip/000002.png',
        'overlay/clip.mp4',
    ]  # fmt: skip
    predict_files(model, source, tmp_path / 'two', Wanted(('masks',), frames=2))
    assert len(names(tmp_path / 'two')) == 2


def test_what_is_asked_for_is_done_to_frames_too(model, tmp_path):
    clip = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*'MJPG'), 10, (64, 48))
    writer.write(photo(48, 64))
    writer.release()
    predict_files(model, clip, tmp_path / 'out', Wanted(('masks',), tile=32, overlap=0))
    found = cv2.imread(str(tmp_path / 'out/clip/000000.png'), cv2.IMREAD_UNCHANGED)
    frame = cv2.VideoCapture(str(clip)).read()[1]
    assert (found == model.predict(frame, tile=32, overlap=0).classes).all()
    assert (found != model.predict(frame).classes).any()
    for source in (clip, 0):
        with pytest.raises(UserError, match='--legend is of single pictures'):
            predict_files(model, source, tmp_path / 'out', Wanted(legend=True))


def test_a_video_beside_a_folder_of_its_frames(model, tmp_path):
    source = tmp_path / 'in/clip.mp4'
    write_image(photo(32, 48), source.with_suffix('') / '000000.jpg')
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for level in (0, 120):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    out = tmp_path / 'out'
    predict_files(model, source.parent, out, Wanted(('masks', 'json', 'csv')))
    masks = ['clip.mp4/000000.png', 'clip.mp4/000001.png', 'clip/000000.png']
    assert names(out) == [*masks, 'predictions.csv', 'predictions.json']
    assert cv2.imread(str(out / 'clip/000000.png')).shape[:2] == (32, 48)
    rows = json.loads((out / 'predictions.json').read_text())['pictures']
    assert [row.get('frame') for row in rows] == [None, 0, 1]
    assert [row['masks'] for row in rows] == ['clip/000000.png', *masks[:2]]
    assert [row['height'] for row in rows] == [32, 48, 48]
    assert len((out / 'predictions.csv').read_text().splitlines()) == 4


@pytest.mark.parametrize('damage', ['cut', 'hole'])
def test_a_video_that_breaks_off_is_not_called_done(run_tool, trained, tmp_path, damage):
    whole, source = tmp_path / 'whole.avi', tmp_path / 'in/broken.avi'
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*'MJPG'), 5, (64, 48))
    for i in range(20):
        writer.write(photo(seed=i))
    writer.release()
    content = bytearray(whole.read_bytes())
    half = len(content) // 2
    if damage == 'cut':
        del content[half:]
    else:
        content[half:] = bytes(len(content) - half)
    source.parent.mkdir()
    source.write_bytes(content)
    assert run_tool('demo', whole, trained, '--out', tmp_path / 'fine').code == 0
    alone = run_tool('demo', source, trained, '--out', tmp_path / 'one')
    assert re.search(r"broken.avi' breaks off after [12]\.\d of 4\.0 seconds", alone.error)
    assert names(tmp_path / 'one') == ['broken.mp4']
    among = run_tool('demo', source.parent, trained, '--out', tmp_path / 'all')
    assert (among.code, names(tmp_path / 'all')) == (3, ['broken.mp4'])


def test_settings_that_do_not_fit(run_tool, trained, folder, tmp_path):
    for flags, culprit in (
        (('--save', 'pictures'), "knows no 'pictures'"),
        (('--opacity', '2'), '--opacity is 2'),
        (('--overlap', '8'), '--overlap is 8, --tile None'),
        (('--legend', '--save', 'masks'), '--legend is of overlays'),
        (('--save', 'depth16'), 'gives no depth16'),
        (('--device', 'cuda:7'), "device 'cuda:7' cannot be used"),
    ):
        assert culprit in run_tool('demo', folder, trained, '--out', tmp_path / 'o', *flags).error
    assert not (tmp_path / 'o').exists()


def test_depth_in_metres_comes_back_from_its_file(tmp_path):
    from sacm_mm.apis.predictor import Model
    from sacm_mm.core.configs import load_config

    tiny = ['model.backbone.arch=d16-l2-k3-p4', 'model.decode_head.in_channels=16',
            'model.decode_head.upscale_factor=4']  # fmt: skip
    cfg: Config = load_config('sacm_kitti.py', tiny)
    init_default_scope('mmseg')
    model = Model(MODELS.build(cfg.model).eval(), cfg, {})
    model.network.decode_head.conv_seg.bias.data.fill_(2.0)  # about 70 m
    write_image(photo(), tmp_path / 'in/a.png')
    predict_files(model, tmp_path / 'in', tmp_path / 'out', Wanted(('depth16', 'overlay', 'csv')))
    depth = model.predict(tmp_path / 'in/a.png').depth
    assert depth.max() > 66  # as 16-bit millimetres it would wrap
    found = read_depth(tmp_path / 'out/depth16/a.png')
    assert np.abs(found - depth).max() < 0.01


def test_a_config_that_names_its_hosts_needs_no_default_scope(tmp_path):
    cfg = Config(
        dict(
            model=dict(
                type='mmseg.EncoderDecoder',
                data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
                backbone=dict(type='sacm_mm.SAConvMixer', arch='d8-l1-k3-p4'),
                decode_head=dict(
                    type='sacm_mm.PixelShuffleHead',
                    in_channels=8,
                    upscale_factor=4,
                    num_classes=3,
                    loss_decode=dict(type='mmseg.CrossEntropyLoss'),
                ),
                test_cfg=dict(mode='whole'),
            ),
            test_pipeline=[dict(type='mmseg.PackSegInputs')],
        )
    )
    torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'weights.pth')
    found = sacm_mm.load(cfg, tmp_path / 'weights.pth', device='cpu').predict(photo())
    assert found.classes.shape == (48, 64) and found.classes.max() < 3
