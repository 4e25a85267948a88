"""tools/benchmark.py measures, compares and says where the figures come from."""

import csv
import itertools
import time
from types import SimpleNamespace

import pytest
import torch
from conftest import CAMVID, TINY_CAMVID
from mmengine.registry import MODELS, init_default_scope

from sacm_mm import UserError
from sacm_mm.apis.train import prepare_train
from sacm_mm.benchmark import loader
from sacm_mm.benchmark.implementations import Setting, build
from sacm_mm.benchmark.machine import convmixer_flops, convmixer_traffic
from sacm_mm.benchmark.measure import interleave, peak_memory
from sacm_mm.benchmark.memory import own_memory
from sacm_mm.benchmark.speed import measure
from sacm_mm.core.configs import load_config
from sacm_mm.deploy import export
from sacm_mm.models.backbones.sa_convmixer import parse_arch
from sacm_mm.visualization.peers import draw_peers
from sacm_mm.visualization.scaling import fit_line

TINY = ('--arch', 'd8-l2-k3-p4', '--size', 16, '--rounds', 3, '--threads', 1, '--device', 'cpu')


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_speed_of_every_kind_that_needs_no_compiler(run_tool, tmp_path):
    names = ['plain', 'mmpretrain']
    out = tmp_path / 'new/speed.csv'
    done = run_tool(
        'benchmark', 'speed', *names, *TINY, '--batch', 1, 2, '--mode', 'forward', 'train',
        '--dtype', 'float32', 'bfloat16', '--out', out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 == len(done.out.splitlines()) - 1
    keys = ('implementation', 'mode', 'batch', 'dtype')
    assert len({tuple(row[key] for key in keys) for row in rows}) == 16
    for row in rows:
        lower, median, upper = (
            float(row[f'{kind}_ms']) for kind in ('lower_quartile', 'median', 'upper_quartile')
        )
        assert 0 < lower <= median <= upper
        rate = int(row['batch']) / median * 1e3
        assert float(row['images_per_s']) == pytest.approx(rate, rel=0.02, abs=0.01)
        assert row['threads'] == '1' and row['torch'] == torch.__version__.split('+')[0]
        step = 3 if row['mode'] == 'train' else 1
        # 16 tokens; 48 inputs of the stem, two blocks of 9 and 8
        flops = 2 * 16 * 8 * (48 + 2 * (9 + 8)) * int(row['batch']) * step
        assert float(row['gflops']) == pytest.approx(flops / median / 1e6, rel=0.02, abs=0.006)
        assert float(row['gemm_gflops']) > 0.1 and float(row['copy_gb_per_s']) > 0.1
        assert row['cpu'] and row['sacm_mm']
    assert {row['speedup'] for row in rows if row['implementation'] == 'plain'} == {'1.0'}


def test_calls_are_interleaved_and_the_median_is_theirs():
    order = []

    def slow():
        order.append('slow')
        time.sleep(0.02)

    timings = interleave({'slow': slow, 'fast': lambda: order.append('fast')}, 3, 'cpu', warmup=1)
    assert order == ['slow', 'fast'] * 4
    assert 0.02 <= timings['slow'].lower <= timings['slow'].median <= timings['slow'].upper
    assert timings['fast'].median < 0.01


def test_peak_memory_is_what_a_call_needs():
    size = 64 * 2**20
    found = peak_memory(lambda: torch.ones(size // 4), 'cpu')
    if found is None:
        pytest.skip('this kernel does not count pages anew')
    assert found == pytest.approx(size, rel=0.1)


def test_memory_that_was_freed_before_counts_again():
    size = 24 * 2**20  # glibc keeps such blocks for itself
    kept = [torch.ones(size // 4) for _ in range(3)]
    kept.clear()
    found = peak_memory(lambda: torch.ones(size // 4), 'cpu')
    if found is None:
        pytest.skip('this kernel does not count pages anew')
    assert found == pytest.approx(size, rel=0.1)


@pytest.mark.slow
def test_memory_of_an_implementation_grows_with_its_maps():
    found = [
        own_memory('plain', Setting('d64-l2-k3-p2', 'forward', size, 1, 'float32', 'cpu'))
        for size in (256, 512)
    ]
    if None in found:
        pytest.skip('this kernel does not count pages anew')
    # three times a map of 64 channels and 65536 float32 tokens more, at the peak of a block
    more = 64 * (256**2 - 128**2) * 4
    assert 1.8 * more < found[1] - found[0] < 6 * more


@pytest.mark.slow  # minutes where the processor has no bfloat16
def test_another_precision_is_compared_with_the_first(run_tool, tmp_path):
    out = tmp_path / 'speed.csv'
    done = run_tool('benchmark', 'speed', 'plain', 'plain@bfloat16', *TINY, '--out', out)
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row['dtype'] for row in rows] == ['float32', 'bfloat16']
    assert [row['implementation'] for row in rows] == ['plain'] * 2
    intensities = [float(row['flop_per_byte']) for row in rows]
    assert intensities[1] == pytest.approx(2 * intensities[0], rel=0.01)
    picture = tmp_path / 'roofline.png'
    done = run_tool('benchmark', 'roofline', out, '--out', picture)
    assert done.code == 0, done.err
    assert picture.stat().st_size > 10_000


def test_training_with_and_without_the_data(run_tool, data, tmp_path):
    out = tmp_path / 'loader.csv'
    done = run_tool('benchmark', 'loader', CAMVID, '--fast', '--steps', 3, '--rounds', 1, '--out',
                    out, '--cfg-options', *TINY_CAMVID)  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        (row,) = csv.DictReader(file)
    rates = {kind: float(row[f'{kind}_images_per_s']) for kind in ('bare', 'trained', 'loading')}
    assert min(rates.values()) > 0
    assert float(row['share_of_bare']) == pytest.approx(rates['trained'] / rates['bare'], rel=0.01)


def test_the_images_of_smaller_batches_are_counted(data, tmp_path, monkeypatch):
    options = [
        *TINY_CAMVID,
        'train_dataloader.batch_size=3',
        'train_dataloader.sampler.type=DefaultSampler',
        'train_dataloader.sampler.shuffle=False',
        'train_dataloader.drop_last=False',
    ]
    cfg = prepare_train(load_config(CAMVID, options), tmp_path / 'work')
    ticks = itertools.count()  # a second a phase
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(loader, 'time', clock)
    found = loader.measure_loader(cfg, 4, 1)
    # four pictures are a batch of three and one of one
    assert len(list((data / 'train').iterdir())) == 4
    rates = [found[f'{kind}_images_per_s'] for kind in ('bare', 'trained', 'loading')]
    assert rates == [12, 8, 8]


def test_traffic_counts_every_map_once():
    # 16 tokens of 8 channels: the image of 48 numbers a token, the stem's map, and two blocks of
    # two layers that read and write one; weights
    weights = 48 * 8 + 2 * (9 * 8 + 64)
    forward = 16 * 48 + 16 * 8 * (1 + 2 * 4) + weights
    sizes = parse_arch('d8-l2-k3-p4')
    assert convmixer_traffic(sizes, 16, 1, 4, training=False) == 4 * forward
    backward = 16 * 48 + 16 * 8 * (1 + 2 * 6) + 2 * weights + 3 * weights
    assert convmixer_traffic(sizes, 16, 1, 2, training=True) == 2 * (forward + backward)


@pytest.mark.slow
def test_scaling_measures_every_point_and_draws_its_lines(run_tool, tmp_path):
    out = tmp_path / 'scaling.csv'
    done = run_tool(
        'benchmark', 'scaling', '--arch', 'd8-l2-k3-p4', '--size', 16, '--sizes', 16, 32,
        '--depths', 1, 2, '--widths', 8, 16, '--threads', 1, '--rounds', 1, '--device', 'cpu',
        '--out', out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3 * 2
    assert {row['arch'] for row in rows if row['sweep'] == 'width'} == {
        'd8-l2-k3-p4',
        'd16-l2-k3-p4',
    }
    assert {row['place'] for row in rows if row['sweep'] == 'image'} == {'0.000256', '0.001024'}
    assert out.with_suffix('.webp').stat().st_size > 10_000


def test_lines_are_fitted():
    slope, intercept, straight = fit_line([1, 2, 4], [5, 7, 11])
    assert (slope, intercept, straight) == pytest.approx((2, 3, 1))
    assert fit_line([0, 1, 2], [0, 1, 0])[2] == pytest.approx(0)


def test_all_implementations_are_the_same_size():
    setting = Setting('d8-l2-k3-p4', 'forward', 16, 2, 'float32', 'cpu')
    maps = [build(name, setting)() for name in ('plain', 'mmpretrain')]
    assert [m[0].shape for m in maps] == [(2, 8, 4, 4)] * 2
    pytest.importorskip('timm')
    assert build('timm', setting)().shape == (2, 8, 4, 4)


def test_flops_are_twice_the_multiplications_of_the_published_networks():
    # 14.77 GMACs with a head of 512 x 525 on 64 x 64 tokens
    head = 64 * 64 * 512 * 525
    flops = convmixer_flops(parse_arch('d512-l12-k5-p5'), 320)
    assert flops / 2 + head == pytest.approx(14.77e9, rel=1e-3)
    assert convmixer_flops(parse_arch('d256-l8-k7-p2'), 31) == pytest.approx(0.322e9, rel=1e-2)


def test_mistakes_are_named(run_tool, tmp_path):
    def error(*arguments):
        return run_tool('benchmark', 'speed', *arguments, *TINY).error

    assert "unknown implementation 'theirs'" in error('theirs')
    assert "unknown dtype in 'plain@int4'" in error('plain@int4')
    assert "'plain' has no int8: onnxruntime and openvino have" in error('plain@int8')
    assert 'add --whole' in error('onnxruntime')
    assert 'leave out --whole' in error('timm', '--whole')
    assert 'leave out bfloat16' in error('openvino@bfloat16', '--whole')
    assert "let '" in error('plain', '--out', tmp_path / 'speed.txt')
    assert '--plot writes a picture' in error('plain', '--plot', tmp_path / 'bars.txt')
    assert 'cannot be trained' in error('model.onnx', '--mode', 'train')
    assert 'does not exist' in error(tmp_path / 'model.onnx')


def test_mistakes_are_named_before_anything_is_timed(run_tool, tmp_path):
    out = tmp_path / 'speed.csv'
    for named, says in (
        (('plain', '--arch', 'd8-l2-k3-p4', 'd8-l2-k4-p4'), 'kernel_size must be odd'),
        (('plain', 'theirs', '--apart'), "unknown implementation 'theirs'"),
        (('plain', 'onnxruntime', '--whole', '--mode', 'forward', 'train'), 'leave out --whole'),
    ):
        done = run_tool('benchmark', 'speed', *TINY, *named, '--out', out)
        assert says in done.error and not done.out and not out.exists()


def test_a_file_is_measured_as_what_it_is(tmp_path):
    cfg = load_config('sacm_camvid_light.py', [
        'model.backbone.arch=d8-l1-k3-p4', 'model.backbone.in_channels=1',
        'model.decode_head.in_channels=8', 'model.decode_head.upscale_factor=4',
        'model.data_preprocessor.mean=[9.0]', 'model.data_preprocessor.std=[9.0]',
        'model.data_preprocessor.bgr_to_rgb=False',
    ])  # fmt: skip
    init_default_scope('mmseg')
    file = tmp_path / 'me@home.onnx'
    export(MODELS.build(cfg.model), file)
    setting = Setting('d8-l2-k3-p4', 'forward', 16, 1, 'bfloat16', 'cpu')
    (row,) = measure([f'onnxruntime:{file}'], setting, 1)
    assert row['dtype'] == 'float32' and row['arch'] == '' and row['gflops'] is None
    with pytest.raises(UserError, match='is not timed'):
        measure([str(file.with_suffix('.pt2'))], setting, 1)
    with pytest.raises(UserError, match='has a precision of its own: leave out @int8'):
        measure([f'onnxruntime:{file}@int8'], setting, 1)


def test_a_file_is_drawn_beside_what_it_was_timed_with():
    setting = dict(
        mode='forward', size=32, batch=1, dtype='float32', whole=False, threads=1, cpu='x', gpu=''
    )
    times = dict(median_ms=2, lower_quartile_ms=1, upper_quartile_ms=3)
    archs = {'plain': 'd8-l1-k3-p4', 'model.onnx': ''}
    rows = [dict(implementation=n, arch=a, **setting, **times) for n, a in archs.items()]
    (panel,) = draw_peers(rows).axes
    assert panel.get_title() == 'd8-l1-k3-p4, 1 of 32x32' and len(panel.patches) == 2
    (alone,) = draw_peers(rows[1:]).axes
    assert alone.get_title() == '1 of 32x32'


def test_a_file_that_was_timed_beside_several_has_one_bar_in_each_panel():
    """Its bars and their figures were drawn over each other."""
    setting = dict(
        mode='forward', size=32, batch=1, dtype='float32', whole=False, threads=1, cpu='x', gpu=''
    )
    rows = []
    for arch, ms in (('d8-l1-k3-p4', 2), ('d16-l1-k3-p4', 4), ('d32-l1-k3-p4', 9)):
        times = dict(median_ms=ms, lower_quartile_ms=ms - 1, upper_quartile_ms=ms + 1)
        for name, own in (('plain', arch), ('model.onnx', '')):
            rows.append(dict(implementation=name, arch=own, **setting, **times))
    panels = draw_peers(rows).axes
    assert [[bar.get_width() for bar in panel.patches] for panel in panels] == [
        [2, 4], [4, 4], [9, 4]
    ]  # fmt: skip
    assert [text.get_text() for text in panels[0].texts] == ['2', '4']


@pytest.mark.slow
def test_implementations_are_timed_in_processes_of_their_own(run_tool, tmp_path):
    out = tmp_path / 'apart.csv'
    tiny = ('--arch', 'd32-l1-k3-p4', '--size', 32, '--threads', 1, '--rounds', 2)
    done = run_tool(
        'benchmark', 'speed', 'plain', 'compiled', '--apart', *tiny, '--mode', 'forward', 'train',
        '--out', out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row['implementation'], row['mode']) for row in rows] == [
        ('plain', 'forward'), ('compiled', 'forward'), ('plain', 'train'), ('compiled', 'train'),
    ]  # fmt: skip
    assert all(float(row['median_ms']) > 0 and float(row['start_s']) > 0 for row in rows)
    done = run_tool('benchmark', 'speed', 'nothing', '--apart', *tiny)
    assert "unknown implementation 'nothing'" in done.error


@pytest.mark.slow
def test_the_whole_network_is_timed_in_every_runtime(run_tool, tmp_path):
    out = tmp_path / 'whole.csv'
    names = ('plain', 'fast', 'onnxruntime', 'openvino', 'openvino@int8')
    done = run_tool(
        'benchmark', 'speed', *names, '--whole', '--arch', 'd16-l1-k3-p4', 'd32-l1-k3-p4',
        '--size', 32, '--threads', 1, '--rounds', 2, '--device', 'cpu', '--out', out,
        '--plot', tmp_path / 'bars.png',
    )  # fmt: skip
    assert (tmp_path / 'bars.png').is_file()
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row['arch'] for row in rows] == ['d16-l1-k3-p4'] * 5 + ['d32-l1-k3-p4'] * 5
    assert {row['whole'] for row in rows} == {'True'}
    assert [row['dtype'] for row in rows[:5]] == ['float32'] * 4 + ['int8']


@pytest.mark.slow
def test_implementations_of_the_whole_network_compute_the_same(tmp_path):
    setting = Setting('d16-l2-k3-p4', 'forward', 33, 2, 'float32', 'cpu', whole=True)
    found = []
    for name in ('plain', 'fast', 'onnxruntime'):
        torch.manual_seed(0)
        found.append(torch.as_tensor(build(name, setting)()['logits']))
    assert found[0].shape == (2, 11, 33, 33)
    assert torch.allclose(found[1], found[0], atol=1e-4)
    assert torch.allclose(found[2], found[0], atol=1e-4)
