"""tools/benchmark.py measures, compares and says where the figures come from."""

import csv
import time

import pytest
import torch

from sacm_mm.benchmark.implementations import Setting, build
from sacm_mm.benchmark.machine import convmixer_flops
from sacm_mm.benchmark.measure import interleave, peak_memory
from sacm_mm.models.backbones.sa_convmixer import parse_arch

TINY = ('--arch', 'd8-l2-k3-p4', '--size', 16, '--rounds', 3, '--threads', 1, '--device', 'cpu')


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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

    timings = interleave({'slow': slow, 'fast': lambda: order.append('fast')}, rounds=3, warmup=1)
    assert order == ['slow', 'fast'] * 4
    assert 0.02 <= timings['slow'].lower <= timings['slow'].median <= timings['slow'].upper
    assert timings['fast'].median < 0.01


def test_peak_memory_is_what_a_call_needs():
    size = 64 * 2**20
    found = peak_memory(lambda: torch.ones(size // 4), 'cpu')
    if found is None:
        pytest.skip('this kernel does not count pages anew')
    assert found == pytest.approx(size, rel=0.1)


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
    assert "let '" in error('plain', '--out', tmp_path / 'speed.txt')
    assert 'cannot be trained' in error('model.onnx', '--mode', 'train')
    assert 'does not exist' in error(tmp_path / 'model.onnx')
