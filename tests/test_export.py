"""Exported files equal the model, in every runtime and through the tools."""

import gc
import signal

import cv2
import numpy as np
import pytest
import torch
from test_kernels_inference import TINY, tiny_model

from sacm_mm import UserError
from sacm_mm.deploy import export, exporting, load_exported, runtimes
from sacm_mm.deploy.runtimes import RUNTIMES

for module in ('onnx', 'onnxscript', *RUNTIMES):
    pytest.importorskip(module)

OUTPUTS = {
    'sacm_camvid_fpn.py': (['logits'], ['classes']),
    'sacm_camvid_light.py': (['logits'], ['classes']),
    'sacm_nyu_light.py': (['depth'], ['depth']),
    'sacm_nyu_joint_light.py': (['logits', 'depth'], ['classes', 'depth']),
    'sacm_cifar10_light.py': (['logits'], ['scores']),
}


@pytest.mark.parametrize(
    ('name', 'end_to_end', 'suffix'),
    [
        ('sacm_camvid_light.py', False, '.onnx'),
        pytest.param('sacm_camvid_fpn.py', False, '.onnx', marks=pytest.mark.slow),
        ('sacm_nyu_light.py', False, '.pt2'),
        ('sacm_nyu_joint_light.py', True, '.onnx'),
        ('sacm_cifar10_light.py', True, '.pt2'),
    ],
)
def test_files_compute_what_the_model_does(tmp_path, name, end_to_end, suffix):
    assert set(OUTPUTS) == set(TINY)
    model = tiny_model(name)
    out = tmp_path / f'new/model{suffix}'
    differences = export(model, out, end_to_end, {'classes': ['a']})
    assert list(differences) == OUTPUTS[name][end_to_end]
    assert list(out.parent.iterdir()) == [out]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 45, 59, 3), np.uint8)
    normal = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    preprocessor = model.data_preprocessor
    normal = (normal - preprocessor.mean.numpy()) / preprocessor.std.numpy()
    with torch.no_grad():
        wanted = model(torch.from_numpy(normal))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for runtime in RUNTIMES if suffix == '.onnx' else [None]:
        network = load_exported(out, runtime)
        assert network.end_to_end == end_to_end
        assert runtime == 'openvino' or network.meta['classes'] == ['a']
        found = network(pixels if end_to_end else normal)
        assert list(found) == OUTPUTS[name][end_to_end]
        for (kind, values), tensor in zip(found.items(), wanted):
            if name == 'sacm_camvid_fpn.py':  # the host enlarges it
                tensor = torch.nn.functional.interpolate(tensor, (45, 59), mode='bilinear')
            target = tensor.numpy()
            if kind == 'scores':
                target = torch.from_numpy(target).softmax(1).numpy()
            else:
                target = target[:, :, :45, :59]
            if kind == 'classes':
                assert values.dtype == np.uint8
                assert (values == target.argmax(1)).mean() > 0.999
            else:
                np.testing.assert_allclose(values, target, rtol=1e-3, atol=1e-4)


def test_a_file_that_differs_is_refused_and_not_left(tmp_path, monkeypatch):
    model = tiny_model('sacm_nyu_light.py')
    real = exporting.fold

    def wrong(network):
        folded = real(network)
        folded.backbone.blocks[0].scale += 0.01
        return folded

    monkeypatch.setattr(exporting, 'fold', wrong)
    with pytest.raises(UserError, match="export refused: 'depth' differs"):
        export(model, tmp_path / 'model.pt2')
    assert not list(tmp_path.iterdir())


def test_the_tools_score_and_draw_a_file_as_the_checkpoint(run_tool, test, trained, tmp_path, data):
    config = next(trained.glob('*.py'))
    checkpoint = test()
    wanted = miou(checkpoint)
    for name, flags in (('plain.onnx', []), ('pixels.pt2', ['--end-to-end'])):
        file = tmp_path / name
        done = run_tool('export', config, trained, '--out', file, *flags)
        assert done.code == 0, done.err
        assert f'{file}' in done.out and 'differs from the checkpoint by at most' in done.out
        assert miou(test(checkpoint=file)) == pytest.approx(wanted, abs=0.02)
    assert load_exported(tmp_path / 'plain.onnx').meta['classes'][0] == 'sky'
    assert load_exported(tmp_path / 'plain.onnx').meta['colours'] == 'RGB'
    assert miou(test('--runtime', 'openvino', checkpoint=tmp_path / 'plain.onnx')) == (
        pytest.approx(wanted, abs=0.02)
    )
    image = next((data / 'test').iterdir())
    pictures = []
    for name, weights in (('a', trained), ('b', tmp_path / 'plain.onnx')):
        done = run_tool('demo', image, config, weights, '--out', tmp_path / name)
        assert done.code == 0, done.err
        pictures.append(cv2.imread(str(tmp_path / name / f'{image.stem}.png')))
    assert (pictures[0] == pictures[1]).mean() > 0.99


def miou(done) -> float:
    assert done.code == 0, done.err
    return float(done.out.split('mIoU: ')[-1].split()[0])


def test_mistakes_are_named(tmp_path, run_tool, trained, test, data):
    config = next(trained.glob('*.py'))
    assert 'let its name end in .onnx or .pt2' in (
        run_tool('export', config, trained, '--out', tmp_path / 'model.trt').error
    )
    assert 'does not exist' in test(checkpoint=tmp_path / 'none.onnx').error
    for suffix in ('.onnx', '.pt2'):
        broken = tmp_path / f'broken{suffix}'
        broken.write_bytes(b'broken')
        assert 'is damaged or not of tools/export.py' in test(checkpoint=broken).error
    export(tiny_model('sacm_nyu_light.py'), tmp_path / 'depth.pt2')
    assert 'choose the config that it was exported with' in (
        test(checkpoint=tmp_path / 'depth.pt2').error
    )
    with pytest.raises(UserError, match="unknown runtime 'tensorrt'"):
        load_exported(tmp_path / 'broken.onnx', 'tensorrt')


def test_signals_are_handled_after_openvino(tmp_path):
    # its core frees the signal stack that it has put on the thread: it is never given back
    export(tiny_model('sacm_camvid_light.py'), tmp_path / 'model.onnx')
    network = load_exported(tmp_path / 'model.onnx', 'openvino')
    core = runtimes._openvino()
    del network
    gc.collect()
    assert runtimes._openvino() is core
    handled = []
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(True))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled
