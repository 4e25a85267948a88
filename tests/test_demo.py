"""tools/demo.py on images, folders and videos, and how it refuses."""

import cv2
import numpy as np
import pytest
from conftest import CAMVID, TINY_CIFAR, call_tool


@pytest.fixture(scope='module')
def config(tmp_path_factory, trained):
    """The config that the tiny checkpoint was trained with."""
    return next(trained.glob('*.py'))


@pytest.fixture
def demo(run_tool, config, trained, tmp_path):
    def run(source, *arguments, config=config, checkpoint=trained):
        return run_tool('demo', source, config, checkpoint, '--out', tmp_path / 'out', *arguments)

    return run


def test_folder_of_images_of_any_size(demo, tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (('a.jpg', (37, 51)), ('b.png', (48, 64))):
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (*size, 3), np.uint8))
    (folder / 'notes.txt').write_text('no image')
    done = demo(folder)
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / 'out').glob('*.*g')) == ['a.png', 'b.png']
    assert cv2.imread(str(tmp_path / 'out/a.png')).shape == (37, 51, 3)
    assert str(tmp_path / 'out/a.png') in done.out


def test_video(demo, tmp_path):
    source = tmp_path / 'drive.mp4'
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for level in (0, 120, 240):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    done = demo(source)
    assert done.code == 0, done.err
    drawn = cv2.VideoCapture(str(tmp_path / 'out/drive.mp4'))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert drawn.get(cv2.CAP_PROP_FPS) == 10
    assert drawn.read()[1].shape == (48, 64, 3)


def test_classes(run_tool, cifar_root, tmp_path, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    work = tmp_path / 'work'
    options = ('--work-dir', work, '--cfg-options', *TINY_CIFAR)
    assert call_tool('train', 'sacm_cifar10.py', *options) == 0
    image = tmp_path / 'photo.jpg'
    cv2.imwrite(str(image), np.full((90, 120, 3), 200, np.uint8))
    done = run_tool('demo', image, next(work.glob('*.py')), work, '--out', tmp_path / 'out')
    assert done.code == 0, done.err
    height, width = cv2.imread(str(tmp_path / 'out/photo.png')).shape[:2]
    assert width > 2 * height


def test_what_cannot_be_drawn(demo, tmp_path):
    assert 'does not exist' in demo(tmp_path / 'none.jpg').error
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert f"no images in '{empty}'" in demo(empty).error
    text = tmp_path / 'a.txt'
    text.write_text('a')
    assert 'no image or video by its name' in demo(text).error
    for name, what in (('a.jpg', 'cannot read'), ('a.mp4', 'cannot read video')):
        broken = tmp_path / name
        broken.write_bytes(b'broken')
        error = demo(broken).error
        assert what in error
        assert f"'{broken}'" in error
    assert not list((tmp_path / 'out').rglob('*'))


def test_checkpoint_of_another_model(demo, tmp_path):
    image = tmp_path / 'a.jpg'
    cv2.imwrite(str(image), np.zeros((48, 64, 3), np.uint8))
    assert 'is of another model' in demo(image, config=CAMVID).error
    assert not (tmp_path / 'out').exists()
