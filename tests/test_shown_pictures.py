"""Pictures that people look at have the right colours, whatever they are stored as."""

from types import SimpleNamespace

import numpy as np
import own_sources
import pytest
import tifffile
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmseg.structures import SegDataSample
from own_sources import SIZE, scene
from PIL import Image

from sacm_mm import UserError
from sacm_mm.apis.predictor import Model
from sacm_mm.core.configs import load_config
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.page import write_page
from sacm_mm.engine.shown_pictures import picture_of_input, picture_of_sample
from sacm_mm.own_data.sources import prepare_source

TINY = [
    'model.backbone.arch=d16-l2-k3-p4', 'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
]  # fmt: skip
SHORT = [
    'train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
]  # fmt: skip


@pytest.mark.parametrize(
    ('dataset', 'shown'),
    [
        (dict(type='ImageNet', pipeline=[dict(type='LoadImageFromFile')]), [0, 0, 200]),
        (dict(type='sacm_mm.CIFAR10Dataset', pipeline=[]), [0, 0, 200]),
        (dict(type='CIFAR100', pipeline=[]), [200, 0, 0]),
        (dict(type='A', pipeline=[dict(type='sacm_mm.LoadPicture')]), [200, 0, 0]),
    ],
)
def test_what_a_network_took_is_shown_in_its_colours(dataset, shown):
    """Also where it takes BGR, as the hosts' RegNet does: red was shown as blue."""
    runner = SimpleNamespace(cfg=Config(dict(test_dataloader=dict(dataset=dataset))))
    image = torch.zeros(3, 4, 5, dtype=torch.uint8)
    image[0] = 200  # blue where the pictures come as BGR
    assert picture_of_input(runner, image)[0, 0].tolist() == shown


@pytest.mark.parametrize(('channels', 'dtype'), [(1, 'uint16'), (3, 'uint16'), (5, 'float32')])
def test_files_of_any_channels_and_numbers_are_shown(tmp_path, channels, dtype):
    pixels = np.zeros((channels, *SIZE), dtype)
    pixels[0, :, 20:] = 700
    kind = 'rgb' if channels == 3 else 'minisblack'
    stored = np.moveaxis(pixels, 0, 2) if channels == 3 else pixels
    tifffile.imwrite(tmp_path / 'a.tif', stored.squeeze(), photometric=kind)
    sample = SegDataSample(metainfo=dict(img_path=str(tmp_path / 'a.tif')))
    shown = picture_of_sample(None, sample, None, 0)
    assert (shown.shape, shown.dtype) == ((*SIZE, 3), np.uint8)
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[0, -1].tolist() == ([255, 255, 255] if channels == 1 else [255, 0, 0])


def _sixteen_bits(root, number=8):
    """Write a data set of RGB TIFFs of 16 bits."""
    for i in range(number):
        made = scene(i)
        (root / 'photos').mkdir(parents=True, exist_ok=True)
        deep = made.photo.astype(np.uint16) * 200
        tifffile.imwrite(root / f'photos/{i}.tif', deep, photometric='rgb')
        own_sources.save(made.mask, root / f'masks/{i}.png')
    return prepare_source('folder', [root / 'photos', root / 'masks'], root / 'mine')


@pytest.fixture
def deep(tmp_path):
    done = _sixteen_bits(tmp_path)
    cfg = load_config(str(done.config), TINY)
    init_default_scope('mmseg')
    return Config(cfg.to_dict(), filename=cfg.filename), MODELS.build(cfg.model).eval(), tmp_path


@pytest.mark.parametrize(('channels', 'dtype'), [(1, 'uint8'), (1, 'uint16'), (3, 'uint16')])
def test_the_network_gets_of_an_array_what_it_gets_of_its_file(tmp_path, channels, dtype):
    if channels == 3:
        done = _sixteen_bits(tmp_path)
    else:
        paths = own_sources.folder_tiff(tmp_path, channels, dtype)
        done = prepare_source('folder', paths, tmp_path / 'mine')
    cfg = load_config(str(done.config), TINY)
    init_default_scope('mmseg')
    model = Model(MODELS.build(cfg.model).eval(), cfg, {})
    colours = scene(0).photo.astype(dtype)
    tifffile.imwrite(tmp_path / 'a.tif', colours, photometric='rgb')
    of_file = model.prepare(str(tmp_path / 'a.tif')).sample['inputs']
    of_array = model.prepare(np.ascontiguousarray(colours[..., ::-1])).sample['inputs']
    assert (of_array.dtype, of_array.shape[0]) == (of_file.dtype, channels)
    torch.testing.assert_close(of_array, of_file, rtol=0, atol=0)


def test_grey_does_not_stand_for_many_channels(tmp_path):
    done = prepare_source(
        'folder', own_sources.folder_tiff(tmp_path, 5, 'uint8'), tmp_path / 'mine'
    )
    cfg = load_config(str(done.config), TINY)
    init_default_scope('mmseg')
    model = Model(MODELS.build(cfg.model).eval(), cfg, {})
    with pytest.raises(UserError, match='the array has 1 channels, but the model takes 5'):
        model.predict(np.zeros(SIZE, np.uint8))


def test_a_network_of_16_bits_takes_and_shows_these(deep):
    cfg, network, root = deep
    file = root / 'photos/0.tif'
    model = Model(network, cfg, {})
    found = model.predict(str(file))
    y, x = np.argwhere(scene(0).mask == 1)[0]
    assert found.image[y, x].argmax() == 2  # BGR, of a red object
    of_array = model.predict(np.ascontiguousarray(tifffile.imread(file)[..., ::-1]))
    assert (of_array.classes == found.classes).all()
    assert (of_array.image == found.image).all()
    Image.fromarray(scene(0).photo).save(root / 'bytes.png')
    with pytest.raises(UserError, match='is uint8, but the network takes uint16'):
        model.predict(str(root / 'bytes.png'))


def test_a_network_of_16_bits_is_not_handed_on_as_one_of_8(deep):
    cfg, network, root = deep
    meta = describe(network, cfg)
    assert (meta['dtype'], meta['colours']) == ('uint16', 'RGB')
    with pytest.raises(UserError, match=r'--end-to-end takes pictures of 8 bits, .* uint16'):
        export(network, root / 'm.onnx', True, meta)
    with pytest.raises(UserError, match='a page takes pictures of 8 bits'):
        write_page(network, root / 'm.html', meta, [], 'deep')
    assert describe(network)['dtype'] == 'uint16'  # of its mean, where no config says it


@pytest.mark.slow
def test_a_test_of_many_channels_draws_all_it_is_asked_for(tmp_path, run_tool):
    paths = own_sources.folder_tiff(tmp_path, 5, 'float32')
    done = prepare_source('folder', paths, tmp_path / 'mine')
    work = tmp_path / 'work'
    options = ('--cfg-options', *TINY, *SHORT)
    assert run_tool('train', done.config, '--work-dir', work, *options).code == 0
    report, grid, shown = tmp_path / 'report', tmp_path / 'grid.png', tmp_path / 'shown'
    wanted = ('--report', report, '--grid', grid, '--show-dir', shown)
    tested = run_tool('test', done.config, work / 'iter_2.pth', *wanted, *options)
    assert tested.code == 0, tested.err
    assert (report / 'index.html').is_file() and grid.is_file()
    assert list(shown.rglob('*.png'))


@pytest.mark.slow
def test_pictures_of_a_classifiers_test_have_their_colours(tmp_path, run_tool):
    for name, colour in (('red', (200, 0, 0)), ('blue', (0, 0, 200))):
        for i in range(6):
            noise = np.random.default_rng(i).integers(0, 20, (40, 48, 3), dtype=np.uint8)
            own_sources.save(noise + np.array(colour, np.uint8), tmp_path / f'src/{name}/{i}.png')
    done = prepare_source('classes', [tmp_path / 'src'], tmp_path / 'mine')
    options = ('--cfg-options', TINY[0], 'model.head.in_channels=16', 'train_cfg.max_epochs=1')
    work, shown = tmp_path / 'work', tmp_path / 'shown'
    assert run_tool('train', done.config, '--work-dir', work, *options).code == 0
    host = 'default_hooks.visualization.type=VisualizationHook'
    tested = run_tool(
        'test', done.config, work / 'epoch_1.pth', '--show-dir', shown, *options[:-1], host
    )
    assert tested.code == 0, tested.err
    parts = [path.parent.name for path in sorted((tmp_path / 'mine/images/val').rglob('*.png'))]
    order = sorted(shown.rglob('*.png'), key=lambda path: int(path.stem.rpartition('_')[2]))
    found = [np.asarray(Image.open(path).convert('RGB'))[-5, -5].argmax() for path in order]
    assert found == [{'red': 0, 'blue': 2}[part] for part in parts]
