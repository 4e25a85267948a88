"""Exported files equal the model, in every runtime and through the tools."""

import gc
import json
import pickle
import re
import resource
import signal
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import MODELS, init_default_scope
from test_kernels_inference import TINY, tiny_model

from sacm_mm import UserError
from sacm_mm.apis.find_model import find_model
from sacm_mm.apis.models import load_model
from sacm_mm.apis.predictor import load
from sacm_mm.core.configs import load_config
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy import export, exporting, load_exported, runtimes
from sacm_mm.deploy.card import write_card
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.page import write_page
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


@pytest.fixture(scope='module')
def camvid_file(tmp_path_factory):
    """A tiny segmentor as an ONNX file that describes itself."""
    out = tmp_path_factory.mktemp('exported') / 'camvid.onnx'
    cfg = load_config('sacm_camvid_light.py', [])
    model = tiny_model('sacm_camvid_light.py')
    export(model, out, meta=describe(model, cfg, model_meta(cfg)))
    return out


@pytest.mark.parametrize(
    ('name', 'end_to_end', 'suffix'),
    [
        pytest.param('sacm_camvid_light.py', False, '.onnx', marks=pytest.mark.slow),
        pytest.param('sacm_camvid_fpn.py', False, '.onnx', marks=pytest.mark.slow),
        pytest.param('sacm_nyu_light.py', False, '.pt2', marks=pytest.mark.slow),
        pytest.param('sacm_cifar10_light.py', False, '.onnx', marks=pytest.mark.slow),
        pytest.param('sacm_nyu_light.py', True, '.xml', marks=pytest.mark.slow),
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
    written = {'.xml': ['model.bin', 'model.xml']}.get(suffix, [out.name])
    assert sorted(path.name for path in out.parent.iterdir()) == written
    pixels = np.random.default_rng(0).integers(0, 256, (2, 45, 59, 3), np.uint8)
    normal = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    preprocessor = model.data_preprocessor
    normal = (normal - preprocessor.mean.numpy()) / preprocessor.std.numpy()
    with torch.no_grad():
        wanted = model(torch.from_numpy(normal))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for runtime in RUNTIMES if suffix == '.onnx' else [None]:
        network = load_exported(out, runtime, trust=True)
        assert network.end_to_end == end_to_end
        assert network.meta['classes'] == ['a']
        found = network(pixels if end_to_end else normal)
        assert list(found) == OUTPUTS[name][end_to_end]
        for (kind, values), tensor in zip(found.items(), wanted):
            if name == 'sacm_camvid_fpn.py':  # the host enlarges it
                tensor = torch.nn.functional.interpolate(tensor, (45, 59), mode='bilinear')
            target = tensor.numpy()
            if kind == 'scores':
                target = torch.from_numpy(target).softmax(1).numpy()
            elif target.ndim == 4:
                target = target[:, :, :45, :59]
            if kind == 'classes':
                assert values.dtype == np.uint8
                assert (values == target.argmax(1)).mean() > 0.999
            else:
                np.testing.assert_allclose(values, target, rtol=1e-3, atol=1e-4)


@pytest.fixture
def pooling_model():
    """A tiny segmentor whose head pools to 2x2, 3x3 and 6x6, as UPerNet's and PSPNet's do."""
    cfg = load_config('sacm_camvid_light.py', TINY['sacm_camvid_light.py'])
    cfg.model.decode_head = dict(
        type='PSPHead', in_channels=cfg.model.decode_head.in_channels, channels=8, num_classes=11,
        pool_scales=(1, 2, 3, 6), norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss'),
    )  # fmt: skip
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model).eval()


@pytest.mark.slow
def test_heads_that_pool_are_exported_for_every_size(tmp_path, pooling_model):
    out = tmp_path / 'model.onnx'
    assert export(pooling_model, out)['logits'] < 1e-4  # at three sizes
    image = np.random.default_rng(0).standard_normal((1, 3, 45, 59)).astype(np.float32)
    found = [load_exported(out, runtime)(image)['logits'] for runtime in RUNTIMES]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_file_that_does_not_run_is_refused(tmp_path, pooling_model, monkeypatch):
    monkeypatch.setattr(exporting, '_traceable', lambda model: model)
    with pytest.raises(UserError, match='export refused: the file does not run for images of'):
        export(pooling_model, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('backbone', 'channels', 'stride'),
    [
        (dict(type='ResNetV1c', depth=18, stem_channels=8, base_channels=8), [8, 16, 32, 64], 4),
        pytest.param(dict(type='sacm_mm.ConvMLP', arch='s'), [64, 128, 256, 512], 4,
                     marks=pytest.mark.slow),
        pytest.param(dict(type='ResNetV1c', depth=18, base_channels=8, stem_channels=8,
                          out_indices=(0,), frozen_stages=-1), [8], 2, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_pixel_shuffle_heads_of_pyramids_are_exported(tmp_path, backbone, channels, stride):
    """At odd sizes what covers the image is cropped, and what does not is interpolated."""
    cfg = load_config('sacm_camvid_light.py')
    cfg.model.backbone = dict(out_indices=range(len(channels))) | backbone
    cfg.model.decode_head.update(
        in_channels=channels, in_index=[*range(len(channels))], upscale_factor=stride
    )
    init_default_scope(cfg.default_scope)
    assert export(MODELS.build(cfg.model).eval(), tmp_path / 'model.pt2')['logits'] < 1e-4


def test_what_cannot_be_traced_is_refused_at_once(tmp_path):
    cfg = load_config('csmixer_t_imagenet.py')
    init_default_scope(cfg.default_scope)
    with pytest.raises(UserError, match='CSMixer cannot be exported'):
        export(MODELS.build(cfg.model), tmp_path / 'model.onnx')


def with_head(head):
    """A tiny classifier of the hosts with another head."""
    init_default_scope('mmpretrain')
    backbone = dict(type='sacm_mm.SAConvMixer', arch='d16-l1-k3-p4')
    neck = dict(type='GlobalAveragePooling')
    model = dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head)
    return MODELS.build(dict(model, data_preprocessor=dict(type='ClsDataPreprocessor')))


@pytest.mark.parametrize('what', ['--end-to-end', 'a page', 'a model folder'])
def test_several_classes_of_a_picture_are_not_handed_on_as_one(tmp_path, what):
    model = with_head(dict(type='MultiLabelLinearClsHead', num_classes=4, in_channels=16))
    meta = describe(model)
    assert meta['task'] == 'multilabel'
    write = {
        '--end-to-end': lambda: export(model, tmp_path / 'm.onnx', end_to_end=True),
        'a page': lambda: write_page(model, tmp_path / 'm.html', meta),
        'a model folder': lambda: write_card(model, Config(), tmp_path / 'card', meta),
    }[what]
    with pytest.raises(UserError, match=f'^{what} says the one class of a picture'):
        write()
    assert not list(tmp_path.iterdir())


def test_heads_of_other_kinds_are_refused_in_a_line(tmp_path):
    tasks = {name: dict(type='LinearClsHead', num_classes=4) for name in 'ab'}
    model = with_head(dict(type='MultiTaskHead', task_heads=tasks, in_channels=16))
    with pytest.raises(UserError, match=r'^a MultiTaskHead has several answers'):
        export(model, tmp_path / 'm.onnx', end_to_end=True)
    loss = dict(type='CrossEntropyLoss')
    first = dict(type='FCNHead', in_channels=16, in_index=0, channels=8, num_classes=5,
                 loss_decode=loss)  # fmt: skip
    init_default_scope('mmseg')
    cascade = MODELS.build(dict(
        type='CascadeEncoderDecoder', num_stages=2, backbone=dict(
            type='sacm_mm.SAConvMixer', arch='d16-l1-k3-p4'),
        decode_head=[first, dict(first, type='OCRHead', ocr_channels=8)],
        test_cfg=dict(mode='whole'), data_preprocessor=dict(type='SegDataPreProcessor'),
    ))  # fmt: skip
    with pytest.raises(UserError, match='CascadeEncoderDecoder cannot be exported: it has heads'):
        describe(cascade)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('size', [1, 3, (2, 5), (None, 3), 7])
def test_adaptive_pooling_is_two_products(size):
    pool = torch.nn.AdaptiveAvgPool2d(size)
    for height, width in ((7, 5), (12, 12), (1, 3), (45, 60)):
        x = torch.randn(2, 3, height, width)
        torch.testing.assert_close(exporting._AveragePool(pool)(x), pool(x))


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
        assert miou(test('--trust', checkpoint=file)) == pytest.approx(wanted, abs=0.02)
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
    assert 'let its name end in .onnx, .xml, .pt2' in (
        run_tool('export', config, trained, '--out', tmp_path / 'model.trt').error
    )
    assert 'does not exist' in test(checkpoint=tmp_path / 'none.onnx').error
    for suffix in runtimes.SUFFIXES:
        broken = tmp_path / f'broken{suffix}'
        broken.write_bytes(b'broken')
        assert 'is damaged or not of sacm export' in test('--trust', checkpoint=broken).error
    export(tiny_model('sacm_nyu_light.py'), tmp_path / 'depth.pt2')
    assert 'choose the config that it was exported with' in (
        test('--trust', checkpoint=tmp_path / 'depth.pt2').error
    )
    with pytest.raises(UserError, match="unknown runtime 'tensorrt'"):
        load_exported(tmp_path / 'broken.onnx', 'tensorrt')
    for suffix, runtime in (('.pt2', 'openvino'), ('.xml', 'onnxruntime')):
        with pytest.raises(UserError, match=f'not in {runtime}: leave out --runtime'):
            load_exported(tmp_path / f'broken{suffix}', runtime)
    assert '--runtime runs exported files' in test('--runtime', 'openvino').error
    again = run_tool('export', config, tmp_path / 'broken.onnx', '--out', tmp_path / 'again.onnx')
    assert 'is exported already' in again.error
    cfg, _ = find_model(trained)
    with pytest.raises(UserError, match='--device is cuda, but exported files run on the CPU'):
        load(cfg, tmp_path / 'broken.onnx', device='cuda')


def test_a_file_of_pictures_with_another_mean_is_refused(camvid_file):
    changes = [*TINY['sacm_camvid_light.py'], 'model.data_preprocessor.mean=[0.0,0.0,0.0]']
    cfg = load_config('sacm_camvid_light.py', changes)
    with pytest.raises(UserError, match=r'of the mean \[123\.675, .*, the config has \[0\.0,'):
        load(cfg, str(camvid_file))


def test_a_file_is_tested_where_the_config_averages_weights(camvid_file):
    """The average begins with a copy of the model, which a runtime's session does not allow."""
    cfg = load_config('sacm_camvid_light.py', TINY['sacm_camvid_light.py'])
    model = load(cfg, str(camvid_file))
    picture = np.zeros((40, 50, 3), np.uint8)
    before = model.predict(picture).scores
    average = EMAHook()
    average.before_run(SimpleNamespace(model=model.network))
    average.before_test_epoch(None)
    assert (model.predict(picture).scores == before).all()


def test_signals_are_handled_after_openvino(camvid_file):
    # its core frees the signal stack that it has put on the thread: it is never given back
    network = load_exported(camvid_file, 'openvino')
    core = runtimes.openvino_core()
    del network
    gc.collect()
    assert runtimes.openvino_core() is core
    handled = []
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(True))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled


def test_axes_classes_colours_and_statistics_are_in_the_file(camvid_file):
    graph = onnx.load(camvid_file).graph
    axes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    ]
    assert axes == [['batch', 3, 'height', 'width'], ['batch', 11, 'height', 'width']]
    for runtime in RUNTIMES:
        meta = load_exported(camvid_file, runtime).meta
        assert meta['task'] == 'segmentation' and meta['colours'] == 'RGB'
        assert meta['classes'][:2] == ['sky', 'building']
        assert meta['palette'][0] == [128, 128, 128] and len(meta['palette']) == 11
        assert meta['mean'] == [123.675, 116.28, 103.53] and meta['std'] == [58.395, 57.12, 57.375]


@pytest.mark.parametrize(
    'name', ['sacm_cifar10_light.py', 'convmlp_s_imagenet.py', 'csmixer_t_imagenet.py']
)
def test_classifiers_describe_themselves(name):
    # their preprocessor calls the order of colours otherwise
    cfg = load_config(name, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.init, 'trunc_normal_', lambda tensor, **_: tensor)  # slow, unused
        init_default_scope(cfg.default_scope)
        meta = describe(MODELS.build(cfg.model), cfg, model_meta(cfg))
    assert meta['task'] == 'classification' and meta['colours'] == 'RGB'
    assert len(meta['classes']) == cfg.model.head.num_classes
    kinds = [step['step'] for step in meta['resize']]
    assert kinds == (['resize'] if 'cifar' in name else ['short_edge', 'center_crop'])


def test_a_network_of_one_channel(tmp_path):
    cfg = load_config('sacm_camvid_light.py', [
        'model.backbone.arch=d16-l2-k3-p4', 'model.backbone.in_channels=1',
        'model.decode_head.in_channels=16', 'model.decode_head.upscale_factor=4',
        'model.data_preprocessor.mean=[100.0]', 'model.data_preprocessor.std=[50.0]',
        'model.data_preprocessor.bgr_to_rgb=False',
    ])  # fmt: skip
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model).eval()
    export(model, tmp_path / 'm.pt2', end_to_end=True)
    network = load_exported(tmp_path / 'm.pt2', trust=True)
    assert network.meta['channels'] == 1 and network.meta['colours'] is None
    assert network(np.zeros((1, 30, 41, 1), np.uint8))['classes'].shape == (1, 30, 41)
    model.data_preprocessor.mean *= 300
    with pytest.raises(UserError, match='takes pictures of 8 bits, this network takes uint16'):
        export(model, tmp_path / 'n.pt2', end_to_end=True)


def test_classes_that_a_file_decides_are_sure(tmp_path):
    cfg = load_config('sacm_camvid_light.py', TINY['sacm_camvid_light.py'])
    out = tmp_path / 'classes.onnx'
    export(tiny_model('sacm_camvid_light.py'), out, end_to_end=True)
    pixels = np.random.default_rng(0).integers(0, 256, (45, 59, 3), np.uint8)
    result = load(cfg, str(out)).predict(pixels)
    wanted = load_exported(out)(pixels[None, ..., ::-1])['classes'][0]  # BGR -> RGB
    np.testing.assert_array_equal(result.classes, wanted)
    np.testing.assert_allclose(result.scores, np.eye(11)[wanted].transpose(2, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ('flags', 'says'),
    [
        ((), 'give --out FILE or --card FOLDER'),
        (('--out', 'm.onnx', '--card', 'm'), 'give --out FILE or --card FOLDER'),
        (('--out', 'm.onnx', '--calibrate', 9), '--calibrate goes with --int8'),
        (('--out', 'm.onnx', '--allow-loss'), '--allow-loss goes with --int8'),
        (('--out', 'm.onnx', '--no-page'), '--no-page goes with --card'),
        (('--out', 'm.onnx', '--samples', '.'), '--samples goes with a web page'),
        (('--card', 'm', '--no-page', '--web-runtime', '.'), '--web-runtime goes with a web page'),
        (('--out', 'm.html', '--end-to-end'), '--end-to-end goes with --out FILE'),
        (('--out', 'm.onnx', '--end-to-end', '--int8'), '--end-to-end goes with .* without --int8'),
        (('--card', 'm', '--int8'), '--int8 goes with --out FILE.onnx'),
    ],
)
def test_flags_without_effect_are_refused(run_tool, flags, says):
    done = run_tool('export', 'no_model_is_loaded', *flags)
    assert done.code == 2 and re.search(says, done.error)


def test_a_file_finds_the_config_of_what_it_was_exported_from(tmp_path, monkeypatch, camvid_file):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work/iter_4.pth').touch()
    base = Path('configs/sacm_camvid_light.py').resolve()
    (tmp_path / 'work/mine.py').write_text(f"_base_ = '{base}'\n")
    (tmp_path / 'work/app.py').write_text("model = sacm_mm.load('../m.onnx')\n")  # not run
    (tmp_path / 'app.py').write_text("model = sacm_mm.load('m.onnx')\nmodel.predict('a.jpg')\n")
    monkeypatch.chdir(tmp_path)
    file = onnx.load(camvid_file)
    for name, config in (
        ('camvid_nano', 'camvid_nano/config.py'),
        ('sacm_camvid_nano.py', 'configs/sacm_camvid_nano.py'),
        ('work', 'work/mine.py'),
        ('work/iter_4.pth', 'work/mine.py'),
    ):
        file.metadata_props[0].value = json.dumps({'config': name})
        onnx.save(file, 'm.onnx')
        assert find_model('m.onnx')[0].filename.endswith(config)


def test_names_come_from_the_file_then_the_config(tmp_path, run_tool, data):
    # not CamVid's own first names, sky and building
    config = tmp_path / 'two.py'
    config.write_text(
        f"_base_ = '{Path('configs/sacm_camvid_light.py').resolve()}'\n"
        "model = dict(backbone=dict(arch='d16-l2-k3-p4'), decode_head=dict(in_channels=16, "
        'upscale_factor=4, num_classes=2, loss_decode=dict(class_weight=None)))\n'
        "test_dataloader = dict(dataset=dict(metainfo=dict(classes=('road', 'tree'))))\n"
    )

    init_default_scope('mmseg')
    model = MODELS.build(load_config(str(config), []).model).eval()
    torch.save(model.state_dict(), tmp_path / 'bare.pth')
    done = run_tool('export', config, tmp_path / 'bare.pth', '--out', tmp_path / 'm.onnx')
    assert done.code == 0, done.err
    file = onnx.load(tmp_path / 'm.onnx')
    own = dict(classes=['a', 'b'], palette=[[1, 2, 3]] * 2)
    for name, meta in (('bare.onnx', '{}'), ('own.onnx', json.dumps(own))):
        file.metadata_props[0].value = meta
        onnx.save(file, tmp_path / name)

    def names(file):
        model = load(config, tmp_path / file, device='cpu')
        return dict(classes=model.names, palette=model.palette)

    for file in ('bare.pth', 'bare.onnx', 'm.onnx'):
        assert names(file)['classes'] == ('road', 'tree')
        # CamVid's colours for these names
        assert names(file)['palette'] == [[128, 64, 128], [128, 128, 0]]
    assert names('own.onnx') == dict(classes=('a', 'b'), palette=[[1, 2, 3]] * 2)


def test_threads_do_not_share_an_openvino_request(camvid_file):
    network = load_exported(camvid_file, 'openvino')
    images = [np.full((1, 3, 40, 40), i, np.float32) for i in range(2)]
    wanted = [network(image)['logits'] for image in images]
    wrong, kept = [], []

    def work(i):
        for _ in range(60):
            found = network(images[i])['logits']
            kept.append((i, found))
            wrong.append(not np.array_equal(found, wanted[i]))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(wrong) == 120 and not any(wrong)
    assert all(np.array_equal(found, wanted[i]) for i, found in kept)  # later calls left them alone


class Bomb:
    """What a hostile file holds: reading it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['.onnx', '.pt2', '.xml'])
def test_a_file_that_cannot_be_written_is_one_line(tmp_path, trained, suffix):
    # faults of the campaign: PyTorch's writer ended the process, OpenVINO's blamed the network
    model, _ = load_model(*find_model(trained))
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, most))
    try:
        with pytest.raises(UserError, match='cannot write'):
            export(model, tmp_path / f'm{suffix}')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert not list(tmp_path.glob('*m*'))


def test_a_pt2_file_runs_no_code_without_trust(tmp_path, test, run_tool, trained, data):
    traced = tmp_path / 'good.pt2'
    export(tiny_model('sacm_camvid_light.py'), traced)
    hostile, mark = tmp_path / 'hostile.pt2', tmp_path / 'executed'
    with zipfile.ZipFile(traced) as source, zipfile.ZipFile(hostile, 'w') as target:
        for name in source.namelist():
            code = 'example_inputs' in name or name.endswith(('.pt', '.pkl'))
            target.writestr(name, pickle.dumps(Bomb(mark)) if code else source.read(name))
    image = next((data / 'test').iterdir())
    config = next(trained.glob('*.py'))
    for done in (
        test(checkpoint=hostile),
        run_tool('demo', image, config, hostile, '--out', tmp_path / 'drawn'),
        run_tool('benchmark', 'speed', hostile),
    ):
        assert done.code == 2 and 'a .pt2 file can run code' in done.err
    assert not mark.exists() and not (tmp_path / 'drawn').exists()


@pytest.mark.parametrize('runtime', [*RUNTIMES])
def test_an_onnx_file_reads_no_other_files(tmp_path, runtime, camvid_file):
    model = onnx.load(camvid_file)
    onnx.save(model, tmp_path / 'hostile.onnx', save_as_external_data=True, size_threshold=0,
              location='secret')  # fmt: skip
    with pytest.raises(UserError, match='wants to read other files of this machine'):
        load_exported(tmp_path / 'hostile.onnx', runtime)
