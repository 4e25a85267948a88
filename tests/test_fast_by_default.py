"""Testing and predicting compute by kernels unless told otherwise, with the same results."""

import copy

import numpy as np
import pytest
import torch
from conftest import LOADERS
from mmengine.hooks import EMAHook
from mmengine.registry import MODELS, init_default_scope

import sacm_mm
from sacm_mm import UserError
from sacm_mm.apis.pipeline import WriteBehind, predict_stream
from sacm_mm.apis.predictor import Model
from sacm_mm.core.configs import load_config
from sacm_mm.engine import fast_testing
from sacm_mm.engine.fast_testing import FastTestHook, check_dtype, made_fast
from sacm_mm.kernels.accelerating import fast_parts
from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.inference import FusedPointwise

ARCH = 'model.backbone.arch=d32-l2-k3-p4'
DENSE = [ARCH, 'model.decode_head.in_channels=32', 'model.decode_head.upscale_factor=4']
TASKS = {
    'sacm_camvid_light.py': DENSE,
    'sacm_nyu_light.py': DENSE,
    'sacm_nyu_joint_light.py': [
        *DENSE, 'model.depth_head.in_channels=32', 'model.depth_head.upscale_factor=4',
    ],
    'sacm_cifar10_light.py': [ARCH, 'model.head.in_channels=32'],
}  # fmt: skip
NEEDS_COMPILER = pytest.mark.skipif(
    not native.available('inference'), reason='there is no C++ compiler'
)


def front_doors(name):
    """A model of a task, plain and fast, behind the front door."""
    cfg = load_config(name, [*TASKS[name], *LOADERS])
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    plain = MODELS.build(cfg.model)
    for norm in plain.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.data.uniform_(-2, 2)
    for head in ('decode_head', 'depth_head'):
        if hasattr(plain, head):  # it starts at 0, where all pixels are equal
            torch.nn.init.normal_(getattr(plain, head).conv_seg.weight, std=0.1)
    plain.eval()
    return Model(plain, cfg, {}), Model(made_fast(plain), cfg, {})


def photo(height, width, seed=0):
    shape = (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@NEEDS_COMPILER
@pytest.mark.parametrize('channels', [1, 2])
def test_networks_of_other_channels_are_known_by_kernels_too(tmp_path, channels):
    """Where one mean stands for all channels, the network was taken for one of three."""
    cfg = load_config('sacm_camvid_light.py', [
        *DENSE, f'model.backbone.in_channels={channels}', 'model.data_preprocessor.mean=[120]',
        'model.data_preprocessor.std=[60]', 'model.data_preprocessor.bgr_to_rgb=False',
    ])  # fmt: skip
    init_default_scope('mmseg')
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, tmp_path / 'weights.pth')
    picture = photo(37, 50)[..., :channels]
    found = []
    for fast in (True, False):
        model = sacm_mm.load(cfg, tmp_path / 'weights.pth', device='cpu', fast=fast)
        assert fast_parts(model.network) == ['backbone'] * fast
        found.append(model.predict(picture).scores)
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)


@NEEDS_COMPILER
@pytest.mark.parametrize('name', TASKS)
def test_every_task_gives_the_same_by_kernels(name):
    plain, fast = front_doors(name)
    assert fast_parts(fast.network) == ['backbone']
    assert fast.task == plain.task
    pictures = [photo(37, 50), photo(40, 64, 1), photo(37, 50, 2)]
    for a, b in zip(fast.predict(pictures), plain.predict(pictures)):
        for kind in ('classes', 'depth', 'scores'):
            found, wanted = getattr(a, kind), getattr(b, kind)
            assert (found is None) == (wanted is None)
            if kind == 'classes' and wanted is not None:
                assert len(np.unique(wanted)) > 1
                assert (found == wanted).mean() > 0.999
            elif wanted is not None:
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    image = torch.randn(1, 3, 37, 50)
    with torch.no_grad():  # the maps before the heads, too
        found, wanted = (m.network.extract_feat(image)[0] for m in (fast, plain))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@NEEDS_COMPILER
def test_tiles_share_what_the_network_sees_also_by_kernels():
    plain, fast = front_doors('sacm_camvid_light.py')
    picture = photo(150, 170)
    tiles = fast.predict(picture, tile=64).classes
    assert (tiles == plain.predict(picture).classes).mean() > 0.999


@NEEDS_COMPILER
def test_heads_read_the_maps_as_they_lie():
    _, fast = front_doors('sacm_nyu_joint_light.py')
    heads = (fast.network.decode_head, fast.network.depth_head)
    assert all(isinstance(head.conv_seg, FusedPointwise) for head in heads)


def test_a_model_without_kernels_stays_what_it_is():
    plain = MODELS.build(dict(type='mmpretrain.ResNet', depth=18))
    assert made_fast(plain) is plain
    with pytest.raises(UserError, match='no kernels in bfloat16 for this model'):
        made_fast(plain, 'bfloat16')


def test_without_a_compiler_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(native, 'why_not', lambda purpose: 'no C++ compiler')
    plain, fast = front_doors('sacm_camvid_light.py')
    assert fast.network is plain.network
    (line,) = capsys.readouterr().err.splitlines()
    assert 'no kernels (no C++ compiler)' in line


def test_a_dtype_that_cannot_be_had(monkeypatch):
    monkeypatch.setattr(fast_testing, 'cpu_has_bfloat16', lambda: False)
    for fast, dtype, culprit in (
        (True, 'float8', "unknown dtype 'float8': choose from float32, bfloat16"),
        (False, 'bfloat16', '--exact computes in float32'),
        (True, 'bfloat16', 'does not compute in bfloat16'),
    ):
        with pytest.raises(UserError, match=culprit):
            check_dtype(fast, dtype)
    check_dtype(False, 'float32')


@NEEDS_COMPILER
def test_a_test_runs_the_fast_model_inside_of_wrappers():
    plain, _ = front_doors('sacm_camvid_light.py')
    wrapped = MODELS.build(dict(type='mmseg.SegTTAModel', module=plain.network))

    class Runner:
        model = wrapped

    before = copy.deepcopy(plain.network.state_dict())
    average = EMAHook(update_buffers=True)  # it swaps weights before, and back after a test
    average.before_run(Runner)
    hook = FastTestHook()
    for step in (average, hook):
        step.before_test_epoch(Runner)
    assert type(Runner.model) is type(wrapped)
    assert fast_parts(Runner.model.module) == ['backbone']
    for step in (average, hook):
        step.after_test_epoch(Runner)
    assert Runner.model is wrapped
    assert wrapped.module is plain.network
    assert all(torch.equal(value, before[k]) for k, value in plain.network.state_dict().items())


# ------------------------------------------------------------------------- the stream


class Doubles:
    """Stands for a network that fails on batches with a bad picture."""

    task = 'segmentation'

    def __init__(self):
        self.batches = []

    def prepare(self, source):
        from sacm_mm.apis.predictor import Prepared

        if source is None:
            raise UserError('cannot be read')
        return Prepared(source, dict(inputs=torch.zeros(3, *source.shape)))

    def compute(self, pictures, keep_scores):
        self.batches.append(len(pictures))
        if any(picture.image.max() > 9 for picture in pictures):
            raise UserError('too bright')
        return [picture.image * 2 for picture in pictures]


def test_a_stream_keeps_the_order_and_leaves_out_the_culprits_alone():
    sources = [np.full(shape, value) for shape, value in (
        ((2, 2), 1), ((2, 2), 2), ((2, 3), 3), ((2, 3), 10), ((2, 3), 4),
    )]  # fmt: skip
    sources.insert(2, None)
    model = Doubles()
    found = list(predict_stream(model, enumerate(sources), batch=8))
    assert [key for key, _ in found] == list(range(6))
    assert [int(r.max()) if isinstance(r, np.ndarray) else str(r) for _, r in found] == [
        2, 4, 'cannot be read', 6, 'too bright', 8,
    ]  # fmt: skip
    assert model.batches == [2, 3, 1, 1, 1]
    assert not list(predict_stream(model, iter(())))


def test_a_stream_makes_batches_of_small_pictures_only():
    model = Doubles()
    small, large = np.zeros((100, 100)), np.zeros((800, 700))
    assert len(list(predict_stream(model, enumerate([small] * 70 + [large] * 2)))) == 72
    assert model.batches == [50, 20, 1, 1]


def test_what_is_written_later_comes_back_in_order():
    done: list[int] = []
    with WriteBehind(done.append) as behind:
        for i in range(20):
            behind.submit(lambda i=i: i)
    assert done == list(range(20))
    with pytest.raises(UserError), WriteBehind(done.append, 1) as behind:
        behind.submit(lambda: 7)
        behind.submit(_fail)
    assert done[20:] == [7]


def _fail():
    raise UserError('disk full')
