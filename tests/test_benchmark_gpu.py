"""The GPU measurement refuses machines without one, and its code runs through on a CPU."""

import csv

import pytest
import torch

TINY = ('--arch', 'd8-l2-k3-p4', '--size', 16, '--batch', 2, '--rounds', 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_needs_a_cuda_device(run_tool, tmp_path):
    done = run_tool('benchmark', 'gpu', '--out', tmp_path / 'gpu')
    assert 'needs a CUDA device' in done.error
    assert not (tmp_path / 'gpu').exists()


@pytest.mark.slow
def test_measurement_runs_through_without_a_gpu(run_tool, tmp_path):
    out = tmp_path / 'gpu'
    done = run_tool(
        'benchmark', 'gpu', *TINY, '--against', 'mmpretrain', '--device', 'cpu', '--out', out
    )
    assert done.code == 0, done.err
    verdicts = (out / 'verdicts.txt').read_text().splitlines()
    assert done.out.splitlines() == [*verdicts, str(out)]
    assert verdicts[0].startswith('met: fused and plain network')
    assert [line.split(': ')[1] for line in verdicts[1:3]] == ['train', 'forward']
    assert 'share of copy bandwidth' in verdicts[3] and len(verdicts) == 4
    with (out / 'networks.csv').open() as file:
        rows = list(csv.DictReader(file))
    names = {'mmpretrain', 'mmpretrain, channels last', 'ours plain', 'ours fused'}
    assert {(row['implementation'], row['mode']) for row in rows} == {
        (name, mode) for name in names for mode in ('train', 'forward')
    }
    assert all(float(row['median_ms']) > 0 and row['torch'] for row in rows)
    with (out / 'kernels.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 4 * 8  # layouts, kernel sizes, operators
    copies = [float(row['share_of_copy']) for row in rows if row['kernel'] == 'copy']
    assert copies == [1.0] * 8
    train = [row for row in rows if row['kernel'] == 'depthwise_norm' and row['k'] == '7']
    assert [row['layout'] for row in train] == ['channels_last', 'contiguous_format']
    assert [row['shape'] for row in train] == ['2x8x4x4'] * 2
