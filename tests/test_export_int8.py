"""Files in 8 bits: as good on the val set, or refused; nothing is left of what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from test_kernels_inference import tiny_model

from sacm_mm import UserError
from sacm_mm.apis import export_int8 as module
from sacm_mm.apis.export_int8 import _compared, calibration_inputs, export_int8
from sacm_mm.apis.find_model import find_model
from sacm_mm.apis.models import load_model
from sacm_mm.apis.predictor import Model
from sacm_mm.deploy import load_exported
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.quantizing import quantize

pytest.importorskip('nncf')


def loaded(trained, data):
    cfg, weights = find_model(trained)
    cfg.train_dataloader.dataset.data_root = str(data)
    model, names = load_model(cfg, weights)
    return model, cfg, weights, describe(model, cfg, names)


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['.onnx', '.xml'])
def test_a_file_in_8_bits_is_tested_on_the_val_set(data, trained, run_tool, tmp_path, suffix):
    out = tmp_path / f'small{suffix}'
    done = run_tool('export', trained, '--out', out, '--int8', '--calibrate', 2)
    assert done.code == 0, done.err
    assert 'mIoU on the val set: ' in done.out and ', in 8 bits ' in done.out
    network = load_exported(out)
    assert network.meta['int8'] and network.meta['task'] == 'segmentation'
    assert network(np.zeros((2, 3, 41, 50), np.float32))['logits'].shape == (2, 11, 41, 50)
    if suffix == '.onnx':
        kinds = {node.op_type for node in onnx.load(out).graph.node}
        assert 'QuantizeLinear' in kinds
    done = run_tool('test', trained, out, '--work-dir', tmp_path / 'test')
    assert done.code == 0, done.err


@pytest.mark.slow
def test_what_loses_too_much_is_refused_and_nothing_is_left(data, trained, tmp_path, monkeypatch):
    figures = iter([{'mIoU': 50.0}, {'mIoU': 49.4}] * 2)
    monkeypatch.setattr(module, '_figures_on_val', lambda *arguments: next(figures))
    model, cfg, weights, meta = loaded(trained, data)
    out = tmp_path / 'out' / 'small.xml'
    with pytest.raises(UserError, match=r'it loses 0\.60 points of mIoU'):
        export_int8(model, cfg, weights, out, meta, 1)
    assert not list(out.parent.iterdir())
    assert export_int8(model, cfg, weights, out, meta, 1, allow_loss=True)
    assert sorted(path.name for path in out.parent.iterdir()) == ['small.bin', 'small.xml']


def test_how_much_a_file_may_lose():
    assert _compared({'mIoU': 50.0}, {'mIoU': 49.6}, False)
    assert _compared({'nyu_eigen/abs_rel': 0.2}, {'nyu_eigen/abs_rel': 0.2039}, False)
    with pytest.raises(UserError, match=r'loses 2\.5% of nyu_eigen/abs_rel'):
        _compared({'nyu_eigen/abs_rel': 0.2}, {'nyu_eigen/abs_rel': 0.205}, False)
    with pytest.raises(UserError, match='nan points of accuracy/top1'):
        _compared({'accuracy/top1': 90.0}, {'accuracy/top1': float('nan')}, False)
    with pytest.raises(UserError, match='is measured on the val set'):
        _compared({'other': 1.0}, {'other': 1.0}, False)


def test_calibration_takes_training_pictures_as_the_network_gets_them(data, trained):
    model, cfg, _, _ = loaded(trained, data)
    inputs = calibration_inputs(Model(model, cfg, {}), cfg, 2)
    assert len(inputs) == 2 and inputs[0].dtype == np.float32
    assert inputs[0].shape[:2] == (1, 3) and abs(inputs[0].mean()) < 3
    for path in Path(data, 'train').iterdir():
        path.unlink()
    with pytest.raises(UserError, match='calibrate on'):
        calibration_inputs(Model(model, cfg, {}), cfg, 2)
    cfg.train_dataloader = None
    with pytest.raises(UserError, match='there are no training pictures to calibrate on'):
        calibration_inputs(Model(model, cfg, {}), cfg, 2)


def test_what_cannot_be_in_8_bits(run_tool, trained, tmp_path, monkeypatch):
    for flags, culprit in (
        (('--out', tmp_path / 'a.pt2', '--int8'), '--int8 writes .onnx or .xml'),
        (('--card', tmp_path / 'card', '--int8'), '--int8 goes with --out FILE.onnx'),
        (('--out', tmp_path / 'a.onnx', '--int8', '--calibrate', 0), 'must be at least 1'),
    ):
        done = run_tool('export', trained, *flags)
        assert done.code == 2 and culprit in done.err
    monkeypatch.setattr('sacm_mm.deploy.quantizing.find_spec', lambda name: None)
    done = run_tool('export', trained, '--out', tmp_path / 'a.onnx', '--int8')
    assert 'needs NNCF: pip install' in done.error
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_depth_in_8_bits_is_the_depth(tmp_path):
    torch.manual_seed(0)
    model = tiny_model('sacm_nyu_light.py')
    plain, out = tmp_path / 'plain.onnx', tmp_path / 'int8.onnx'
    export(model, plain)
    pictures = [np.random.default_rng(i).normal(size=(1, 3, 48, 64)).astype('f') for i in range(4)]
    quantize(plain, out, pictures)
    nodes = onnx.load(out).graph.node
    in_8_bits = {n for node in nodes if node.op_type == 'DequantizeLinear' for n in node.output}
    *others, last = [node.input[0] in in_8_bits for node in nodes if node.op_type == 'Conv']
    assert any(others) and not last
    wanted, found = (load_exported(file)(pictures[0])['depth'] for file in (plain, out))
    assert np.abs(found - wanted).mean() < 0.05 * wanted.mean()
