"""A model's folder: read back, run by its own six lines, and valid for the hub."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.datasets import transforms as host_transforms
from PIL import Image
from test_kernels_inference import tiny_model

from sacm_mm import UserError
from sacm_mm.core.configs import load_config
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy import card, load_card
from sacm_mm.deploy.description import describe, resizing

for module in ('onnx', 'onnxscript', 'onnxruntime', 'safetensors'):
    pytest.importorskip(module)


def written(folder, name):
    model, cfg = tiny_model(name), load_config(name, [])
    cfg.model.backbone.arch = 'd16-l2-k3-p4'
    head = cfg.model.get('decode_head') or cfg.model.head
    head.in_channels = 16
    if 'upscale_factor' in head:
        head.upscale_factor = 4
    meta = dict(describe(model, cfg, model_meta(cfg)), config=name)
    if meta['classes']:
        meta['classes'][0] = '<b>|x'
    card.write_card(model, cfg, folder, meta, [('whole', 'mIoU', 54.97)])
    return model


def run_lines(folder, python=sys.executable):
    text = (folder / 'README.md').read_text()
    lines = text.split('```python\n')[1].split('\n```')[0]
    assert len(lines.splitlines()) == 6
    image = np.random.default_rng(0).integers(0, 256, (45, 59, 3), np.uint8)
    Image.fromarray(image).save(folder / 'picture.jpg')
    done = subprocess.run([python, '-c', lines], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    'name', ['sacm_camvid_light.py', 'sacm_nyu_light.py', 'sacm_cifar10_light.py']
)
def test_a_folder_is_run_by_its_lines_and_read_back(tmp_path, name, monkeypatch):
    folder = tmp_path / 'card'
    monkeypatch.setenv('SACM_DATA', '/home/somebody/data')
    model = written(folder, name)
    config = (folder / 'config.py').read_text()
    assert 'somebody' not in config and '{{$SACM_DATA:data}}/' in config
    assert max(map(len, config.splitlines())) <= 120
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())
    said = run_lines(folder)
    loaded, _, names = load_card(folder)
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)
    text = (folder / 'README.md').read_text()
    if name == 'sacm_camvid_light.py':
        classes = np.asarray(Image.open(folder / 'classes.png'))
        assert classes.shape == (45, 59) and classes.max() < 11
        assert names['classes'][0] == '<b>|x' and '&lt;b&gt;\\|x' in text
    elif name == 'sacm_nyu_light.py':
        assert np.asarray(Image.open(folder / 'depth_mm.png')).max() <= 10_000
    else:
        assert said.split()[0] in json.loads((folder / card.ABOUT).read_text())['classes']
    assert '| whole | mIoU | 54.97 |' in text
    hub = pytest.importorskip('huggingface_hub')
    data = hub.ModelCard.load(folder / 'README.md').data
    assert data.library_name == 'sacm_mm' and 'onnx' in data.tags


@pytest.mark.slow
def test_the_lines_need_three_packages(tmp_path):
    folder, python = tmp_path / 'card', tmp_path / 'venv/bin/python'
    written(folder, 'sacm_camvid_light.py')
    subprocess.run([sys.executable, '-m', 'venv', tmp_path / 'venv'], check=True)
    install = [python, '-m', 'pip', 'install', '-q', 'numpy', 'pillow', 'onnxruntime']
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip('no network')
    run_lines(folder, str(python))


def test_a_folder_without_its_files_is_named(tmp_path):
    with pytest.raises(UserError, match=r'is no model folder: it has no model\.safetensors'):
        load_card(tmp_path)


def test_pictures_that_the_lines_do_not_open_are_refused(tmp_path):
    cfg = load_config('sacm_camvid_light.py', [
        'model.backbone.arch=d16-l1-k3-p4', 'model.backbone.in_channels=4',
        'model.decode_head.in_channels=16', 'model.decode_head.upscale_factor=4',
        'model.data_preprocessor.mean=[9.0,9.0,9.0,9.0]',
        'model.data_preprocessor.std=[9.0,9.0,9.0,9.0]',
        'model.data_preprocessor.bgr_to_rgb=False',
        'model.data_preprocessor.type=sacm_mm.SegDataPreProcessor',
    ])  # fmt: skip
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model).eval()
    says = 'a model folder takes pictures of 1 or 3 channels, this network has 4: export .onnx'
    with pytest.raises(UserError, match=says):
        card.write_card(model, cfg, tmp_path / 'card', describe(model, cfg))
    assert not list(tmp_path.iterdir())


def test_sizes_that_the_lines_do_not_know_are_said():
    pipeline = [dict(type='ResizeEdge', scale=40, edge='long')]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    assert 'in a way that these lines do not' in card._sizes(resizing(cfg))


def test_the_lines_follow_the_pictures():
    meta = dict(task='depth', channels=1, colours=None, depth_range=[0, 80.0],
                resize=[dict(step='resize', width=32, height=24, keep_ratio=True)])  # fmt: skip
    lines = card.example(meta)
    assert "convert('L')).resize(" in lines and '[None, ..., None]' in lines
    assert 'depth_cm.png' in lines  # millimetres would not fit
    crop = [dict(step='short_edge', size=40), dict(step='center_crop', width=32, height=32)]
    classify = dict(task='classification', channels=3, colours='BGR', resize=crop)
    assert '.crop([' in card.example(classify) and '[..., ::-1]' in card.example(classify)


@pytest.mark.parametrize('size', [(640, 427), (427, 640), (50, 50), (33, 97)])
@pytest.mark.parametrize(
    'transforms',
    [
        [dict(type='Resize', scale=(64, 48), keep_ratio=True)],
        [dict(type='Resize', scale=(2048, 32), keep_ratio=True)],
        [dict(type='Resize', scale=(64, 48))],
        [dict(type='ResizeEdge', scale=40, edge='short')],
        [
            dict(type='ResizeEdge', scale=40, edge='short'),
            dict(type='CenterCrop', crop_size=32),
        ],
    ],
    ids=str,
)
def test_the_lines_resize_as_the_pipeline(size, transforms):
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0], 1)
    image = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=transforms))))
    line = card._resized('opened', resizing(cfg))
    found = np.asarray(eval(line, {'opened': Image.fromarray(image)}))
    sample = dict(img=image)
    for transform in map(dict, transforms):
        sample = getattr(host_transforms, transform.pop('type'))(**transform)(sample)
    assert found.shape == sample['img'].shape
    assert np.abs(found.astype(int) - sample['img']).mean() < 4


def test_figures_come_from_a_recorded_result():
    root = Path(__file__).parents[1] / 'results/camvid_light'
    assert ('whole', 'mIoU', 54.97) in card.figures_beside(root / 'weights.pth')
    assert not card.figures_beside(root / 'none/weights.pth')
