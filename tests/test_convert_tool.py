"""tools/convert_weights.py: what it writes is taken by the hosts' own front doors, anywhere."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import LOADERS
from keras_weights import KerasNet
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain import ImageClassificationInferencer, get_model
from mmseg.apis import MMSegInferencer, inference_model, init_model
from test_convert_torch import sequential

from sacm_mm.convert import load, save
from sacm_mm.core.configs import find_config

IMAGE = np.random.default_rng(0).integers(0, 256, (44, 61, 3), dtype=np.uint8)


@pytest.fixture
def anywhere(tmp_path, monkeypatch):
    """A folder that is not the project's, in which conversions are made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('SACM_DATA', raising=False)
    return tmp_path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_converted(checkpoint, source):
    content = torch.load(checkpoint, weights_only=True)
    model_cfg, state_dict = load(source)
    assert content['state_dict'].keys() == state_dict.keys()
    assert all(torch.equal(content['state_dict'][k], v) for k, v in state_dict.items())
    assert content['meta']['model_cfg'] == model_cfg
    assert content['meta']['source'] == source.name
    return content['meta']


def test_segmentation(run_tool, anywhere):
    source = KerasNet().save(anywhere / 'VOC.h5')
    done = run_tool('convert_weights', source, 'out/voc.pth')
    assert (done.code, done.out.split()[-2:]) == (0, ['out/voc.pth', 'out/voc.py'])
    meta = assert_converted('out/voc.pth', source)
    assert meta['dataset_meta']['classes'][15] == 'person'
    shutil.move('out', 'elsewhere')  # config and checkpoint stay together, wherever they are

    with DefaultScope.overwrite_default_scope('mmseg'):
        model = init_model('elsewhere/voc.py', 'elsewhere/voc.pth', device='cpu')
        result = inference_model(model, IMAGE)
        assert result.pred_sem_seg.shape == IMAGE.shape[:2]
        assert model.dataset_meta['classes'][0] == 'background'
        inferencer = MMSegInferencer('elsewhere/voc.py', 'elsewhere/voc.pth', device='cpu')
        (labels,) = [inferencer(IMAGE, show=False)['predictions']]
    np.testing.assert_array_equal(labels, result.pred_sem_seg.data[0])
    config = Config.fromfile('elsewhere/voc.py')
    assert Path(config.load_from) == anywhere / 'elsewhere/voc.pth'


def test_depth(run_tool, anywhere):
    for patch, max_depth in ((5, 10.0), (8, 126.0)):
        source = KerasNet(outputs=1, patch=patch).save(anywhere / 'depth.h5')
        assert run_tool('convert_weights', source, 'depth.pth').code == 0
        assert_converted('depth.pth', source)
        with DefaultScope.overwrite_default_scope('mmseg'):
            model = init_model('depth.py', 'depth.pth', device='cpu')
            result = inference_model(model, IMAGE)
        assert result.pred_depth_map.shape == IMAGE.shape[:2]
        assert model.decode_head.max_depth == max_depth


def test_classification(run_tool, anywhere):
    source = anywhere / 'ConvMixer_ks7.pt'
    torch.save(sequential(16, 2, 7, 2, 10, unshuffle=True).state_dict(), source)
    assert run_tool('convert_weights', source, 'cifar.pth').code == 0
    assert_converted('cifar.pth', source)
    inferencer = ImageClassificationInferencer('cifar.py', device='cpu')  # weights by load_from
    (result,) = inferencer(IMAGE)
    assert result['pred_class'] in inferencer.classes
    assert 'frog' in inferencer.classes
    expected = torch.load('cifar.pth', weights_only=True)['state_dict']['head.fc.weight']
    assert torch.equal(get_model('cifar.py', pretrained=True).head.fc.weight, expected)


def test_demo_takes_published_weights_as_they_are(run_tool, anywhere):
    assert cv2.imwrite('photo.png', IMAGE)
    source = KerasNet().save(anywhere / 'VOC.h5')
    done = run_tool('demo', 'photo.png', 'sacm_voc.py', source, '--out', 'raw')
    assert done.code == 0, done.err
    assert run_tool('convert_weights', source, 'voc.pth').code == 0
    assert run_tool('demo', 'photo.png', 'voc.py', 'voc.pth', '--out', 'converted').code == 0
    raw, converted = (cv2.imread(f'{folder}/photo.png') for folder in ('raw', 'converted'))
    np.testing.assert_array_equal(raw, converted)

    depth = KerasNet(outputs=1).save(anywhere / 'NYU.h5')
    assert run_tool('demo', 'photo.png', 'sacm_nyu.py', depth, '--out', 'raw').code == 0
    error = run_tool('demo', 'photo.png', 'sacm_voc.py', depth, '--out', 'raw').error
    assert 'weights of a DepthEstimator, but the config describes a EncoderDecoder' in error
    torch.save(sequential(8, 2, 3, 4, 10).state_dict(), 'cifar.pt')
    assert run_tool('demo', 'photo.png', 'sacm_cifar10.py', 'cifar.pt', '--out', 'raw').code == 0


def test_testing_tool_takes_the_pair(run_tool, anywhere, voc_root, monkeypatch):
    source = KerasNet().save(anywhere / 'VOC.h5')
    assert run_tool('convert_weights', source, 'voc.pth').code == 0
    monkeypatch.setenv('SACM_DATA', str(voc_root))  # named after the conversion
    options = [option for option in LOADERS if option.startswith('test_')]
    done = run_tool('test', 'voc.py', 'voc.pth', '--work-dir', 'work', '--cfg-options', *options)
    assert done.code == 0, done.err
    assert 'mIoU' in done.out + done.err


def test_there_and_back(run_tool, anywhere):
    theirs = sequential(8, 2, 3, 4, 5).state_dict()
    torch.save(theirs, 'theirs.pth')
    done = run_tool('convert_weights', 'theirs.pth', 'ours.pth')
    # five classes are of no published setting: no config
    assert (done.code, done.out) == (0, 'ours.pth\n')
    assert files(anywhere) == ['ours.pth', 'theirs.pth']
    done = run_tool('convert_weights', 'ours.pth', 'back.pth', '--to', 'locuslab')
    assert (done.code, done.out) == (0, 'back.pth\n')
    back = torch.load('back.pth', weights_only=True)['state_dict']
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.items())


def test_conversion_can_be_repeated_but_overwrites_no_other_config(run_tool, anywhere):
    source = KerasNet().save(anywhere / 'VOC.h5')
    for _ in range(2):
        assert run_tool('convert_weights', source, 'voc.pth').code == 0
    other = KerasNet(outputs=7).save(anywhere / 'other.h5')  # of no published setting
    assert run_tool('convert_weights', other, 'voc.pth').code == 0
    assert files(anywhere) == ['VOC.h5', 'other.h5', 'voc.pth']
    Path('voc.py').write_text('mine')
    assert "'voc.py' exists" in run_tool('convert_weights', source, 'voc.pth').error
    assert Path('voc.py').read_text() == 'mine'


def test_conversion_overwrites_no_other_weights(run_tool, anywhere):
    source = KerasNet().save(anywhere / 'VOC.h5')
    mine = sequential(8, 2, 3, 4, 5).state_dict()
    torch.save(mine, 'mine.pth')
    assert "'mine.pth' exists" in run_tool('convert_weights', source, 'mine.pth').error
    assert torch.load('mine.pth', weights_only=True).keys() == mine.keys()
    assert files(anywhere) == ['VOC.h5', 'mine.pth']


@pytest.mark.parametrize(
    ('out', 'says'),
    [
        ('out.pt', 'end in .pth'),
        ('VOC.h5', 'end in .pth'),
        ('folder.pth', 'a folder or the source'),
        ('VOC.h5/out.pth', "VOC.h5' is a file"),
    ],
)
def test_out_that_cannot_be_written(run_tool, anywhere, out, says):
    KerasNet().save(anywhere / 'VOC.h5')
    (anywhere / 'folder.pth').mkdir()
    before = files(anywhere)
    assert says in run_tool('convert_weights', 'VOC.h5', out).error
    assert files(anywhere) == before


def test_source_that_cannot_be_read_writes_nothing(run_tool, anywhere):
    assert "'none.h5' does not exist" in run_tool('convert_weights', 'none.h5', 'out.pth').error
    back = run_tool('convert_weights', 'none.pth', 'out.pth', '--to', 'timm')
    assert "'none.pth' does not exist" in back.error
    Path('junk.h5').write_bytes(b'junk')
    assert 'unknown format' in run_tool('convert_weights', 'junk.h5', 'out.pth').error
    assert files(anywhere) == ['junk.h5']


def test_published_configs_exist():
    for name in save._CONFIGS.values():
        assert find_config(name)
