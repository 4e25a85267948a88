"""The authors' .h5 files: what they become computes the same, what does not fit is named."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from keras_weights import KerasNet

import sacm_mm
from sacm_mm import UserError
from sacm_mm.registry import MODELS

load = sacm_mm.convert.load

NETS = {
    'voc': dict(),
    'ade20k': dict(depth=4, outputs=30, first_tap=1),
    'cityscapes': dict(outputs=19, patch=4, act_norm=False, first_number=7),
    'nyu': dict(outputs=1),
    'cityscapes depth': dict(outputs=1, patch=8, kernel=3),
}


def relative_error(path, image, expected):
    """Build what a file becomes and run it on RGB images (N, H, W, 3), preprocessing included."""
    model_cfg, state_dict = load(path)
    model = MODELS.build(model_cfg).eval()
    model.load_state_dict(state_dict, strict=True)
    bgr = torch.from_numpy(image[..., ::-1].copy()).permute(0, 3, 1, 2)  # as images are loaded
    with torch.no_grad():
        found = model(model.data_preprocessor(dict(inputs=list(bgr)))['inputs'], mode='tensor')
    found = found.permute(0, 2, 3, 1).numpy()
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize('name', NETS)
def test_converted_network_computes_the_same(name, tmp_path):
    net = KerasNet(**NETS[name])
    size = (2, 2 * net.patch, 3 * net.patch, 3)
    image = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    assert relative_error(net.save(tmp_path / 'net.h5'), image, net(image)) < 1e-5


def test_settings_are_read_from_the_file(tmp_path):
    model_cfg, _ = load(KerasNet(**NETS['ade20k']).save(tmp_path / 'net.h5'))
    assert model_cfg['type'] == 'mmseg.EncoderDecoder'
    assert model_cfg['backbone']['arch'] == 'd8-l4-k5-p5'
    assert model_cfg['backbone']['out_indices'] == [1, 2, 3]
    assert model_cfg['decode_head']['num_classes'] == 30
    assert model_cfg['decode_head']['act_norm']
    model_cfg, _ = load(KerasNet(**NETS['cityscapes']).save(tmp_path / 'net.h5'))
    assert model_cfg['backbone']['arch'] == 'd8-l3-k5-p4'
    assert not model_cfg['decode_head']['act_norm']
    model_cfg, _ = load(KerasNet(**NETS['nyu']).save(tmp_path / 'net.h5'))
    assert model_cfg['type'] == 'sacm_mm.DepthEstimator'
    assert model_cfg['decode_head']['bound'] is None


@pytest.mark.skipif('SACM_GOLDEN' not in os.environ, reason='SACM_GOLDEN names no folder')
def test_goldens():
    files = sorted(Path(os.environ['SACM_GOLDEN']).glob('*.h5'))
    assert files
    for path in files:
        golden = np.load(path.with_suffix('.npz'))
        error = relative_error(path, golden['image'], golden['logits'])
        print(f'{path.stem}: {error:.1e}')
        assert error <= 1e-4, path


def without(*layers):
    def damage(file):
        kept = [name for name in file.attrs['layer_names'] if name.decode() not in layers]
        file.attrs['layer_names'] = kept
        for layer in layers:
            del file[layer]

    return damage


def replaced(weight, shape):
    def damage(file):
        file.pop(weight, None)
        file[weight] = np.zeros(shape, np.float32)

    return damage


def deleted(name):
    return lambda file: file.__delitem__(name)


DAMAGES = {
    'group': (deleted('conv2d_2'), "layer 'conv2d_2' cannot be read"),
    'bias': (deleted('conv2d_2/conv2d_2/bias:0'), "layer 'conv2d_2' holds kernel"),
    'names': (lambda file: file.attrs.__delitem__('layer_names'), 'no Keras weights'),
    'extra': (replaced('conv2d/extra:0', 3), "layer 'conv2d' holds"),
    'unlisted': (lambda file: file.create_dataset('dense/kernel:0', data=[1.0]), 'dense/kernel'),
    'no norm': (without('batch_normalization_2'), "layer 'depthwise_conv2d_1' .* batch norm of 8"),
    'no head': (
        without('conv2d_4', 'batch_normalization_7'),
        "ends after layer 'batch_normalization_6'",
    ),
    '3x3': (
        replaced('conv2d_1/conv2d_1/kernel:0', (3, 3, 8, 8)),
        "layer 'conv2d_1' .* convolution of 1x1x8x8",
    ),
    'stem': (
        replaced('conv2d/conv2d/kernel:0', (1, 1, 74, 8)),
        "layer 'conv2d' takes 74 channels",
    ),
    'kernel': (
        replaced('depthwise_conv2d/depthwise_conv2d/depthwise_kernel:0', (5, 3, 8, 1)),
        "layer 'depthwise_conv2d' has a kernel of 5x3",
    ),
    'even kernel': (
        replaced('depthwise_conv2d/depthwise_conv2d/depthwise_kernel:0', (4, 4, 8, 1)),
        "layer 'depthwise_conv2d' has a kernel of 4x4, not an odd square",
    ),
    'taps': (
        replaced('conv2d_4/conv2d_4/kernel:0', (1, 1, 20, 525)),
        "layer 'conv2d_4' takes 20 channels",
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', DAMAGES)
def test_first_layer_that_does_not_fit_is_named(name, tmp_path):
    damage, says = DAMAGES[name]
    path = KerasNet().save(tmp_path / 'net.h5')
    with h5py.File(path, 'a') as file:
        damage(file)
    with pytest.raises(UserError, match=says) as refusal:
        load(path)
    assert str(path) in str(refusal.value)
    assert '\n' not in str(refusal.value)


def test_outputs_must_fill_the_patch(tmp_path):
    net = KerasNet()
    weights = [weights for _, weights in net.layers if weights]
    weights[-2].update(kernel=np.zeros((1, 1, 8, 26), np.float32), bias=np.zeros(26, np.float32))
    with pytest.raises(UserError, match="layer 'conv2d_4' has 26 outputs, which 5x5 pixels"):
        load(net.save(tmp_path / 'net.h5'))


def test_super_resolution_is_refused(tmp_path):
    net = KerasNet(outputs=48)
    net.layers[0] = ('rescaling', {})
    with pytest.raises(UserError, match='divides the image by 255'):
        load(net.save(tmp_path / 'net.h5'))


@pytest.mark.parametrize('share', [0.4, 0.7, 0.95])
def test_truncated_file(share, tmp_path):
    path = KerasNet(dim=16, outputs=40).save(tmp_path / 'net.h5')
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"truncated to \d+ of \d+ bytes: layer '\w+' is the first"):
        load(path)
    path.write_bytes(whole[:50])
    with pytest.raises(UserError, match=r'truncated to 50 .* its list of layers is lost'):
        load(path)


def test_damaged_file(tmp_path):
    path = tmp_path / 'net.h5'
    path.write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(range(256)))
    with pytest.raises(UserError, match='damaged'):
        load(path)
