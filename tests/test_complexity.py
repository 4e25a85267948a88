"""Counts equal closed formulas."""

import csv
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.models import BaseClassifier
from torch import nn

from sacm_mm import SAConvMixer, UserError
from sacm_mm.benchmark.complexity import count, count_call, count_config
from sacm_mm.swap import find_backbone
from sacm_mm.swap.dry_run import build_part


def convmixer(dim, layers, kernel, patch, size):
    """MACs, activations and parameters of a ConvMixer, by hand."""
    tokens = (-(-size // patch)) ** 2
    macs = tokens * dim * (3 * patch**2 + layers * (kernel**2 + dim))
    parameters = dim * (3 * patch**2 + 1) + layers * dim * (kernel**2 + dim + 2)
    parameters += 2 * dim * (1 + 2 * layers)  # norms
    return macs, tokens * dim * (1 + 2 * layers), parameters


@pytest.mark.parametrize('embed', ['pixel_unshuffle', 'conv'])
@pytest.mark.parametrize('sizes', [(256, 8, 7, 2, 32), (512, 12, 5, 5, 318), (16, 2, 3, 8, 100)])
def test_sa_convmixer(sizes, embed):
    dim, layers, kernel, patch, size = sizes
    model = SAConvMixer(f'd{dim}-l{layers}-k{kernel}-p{patch}', embed=embed)
    found = count(model, 1, 3, size, size)
    assert (found.macs, found.activations, found.parameters) == convmixer(*sizes)


def conv_mlp(channels, conv_blocks, blocks, dims, ratio, size):
    half, quarter = size // 2, size // 4
    macs = half**2 * (27 * (c := channels // 2) + 9 * c * c + 9 * c * channels)
    hidden = dims[0]
    macs += conv_blocks * quarter**2 * (2 * channels * hidden + 9 * hidden**2)
    side, width = size // 8, dims[0]
    macs += side**2 * 9 * channels * width
    for i, (n, dim) in enumerate(zip(blocks, dims)):
        macs += n * side**2 * (4 * ratio * dim**2 + 9 * dim)
        if i < 2:
            side //= 2
            macs += side**2 * 9 * dim * dims[i + 1]
    return macs


@pytest.mark.parametrize(
    ('arch', 'sizes', 'published'),
    [
        ('s', (64, 2, (2, 4, 2), (128, 256, 512), 2), 2.385),
        ('m', (64, 3, (3, 6, 3), (128, 256, 512), 3), 3.929),
        ('l', (96, 3, (4, 8, 3), (192, 384, 768), 3), 9.870),
    ],
)
def test_conv_mlp(arch, sizes, published):
    found = count(build_part(find_backbone(f'convmlp-{arch}')), 1, 3, 224, 224)
    assert found.macs == conv_mlp(*sizes, 224)
    assert found.macs / 1e9 == pytest.approx(published, abs=1e-3)


def cs_mixer(dim, depths, heads, head_dims, size):
    side, total = size // 4, 0
    for kernel, share in ((4, 2), (8, 4), (16, 8), (32, 8)):
        total += side**2 * 3 * kernel**2 * (dim // share)
    for stage, (depth, m) in enumerate(zip(depths, heads)):
        c = dim * 2**stage
        if stage:
            side //= 2
            total += side**2 * (4 + 16) * (c // 2) ** 2
        linear = 2 * c * c + 2 * c * m * head_dims + 8 * c * c
        mixing = m * (49 * head_dims) ** 2 / 49  # a token's share of its group's matrices
        total += depth * side**2 * (linear + mixing)
    return total


@pytest.mark.parametrize(
    ('arch', 'sizes', 'published'),
    [
        ('t', (64, (1, 1, 8, 6), (2, 4, 8, 16), 2), 2.39),
        ('l', (128, (2, 2, 18, 2), (4, 8, 16, 32), 4), 13.71),
    ],
)
def test_cs_mixer(arch, sizes, published):
    found = count(build_part(find_backbone(f'cs-mixer-{arch}')), 1, 3, 224, 224)
    assert found.macs == cs_mixer(*sizes, 224)
    assert found.macs / 1e9 == pytest.approx(published, abs=5e-3)


def test_what_other_counters_skip():
    same = nn.Conv2d(8, 8, 5, padding='same', groups=8)
    assert count(same, 1, 8, 10, 10).macs == 100 * 8 * 25
    up = nn.Upsample(scale_factor=2, mode='bilinear')
    assert count(up, 1, 4, 5, 5).macs == 4 * 100 * 4
    assert count(nn.Upsample(scale_factor=2), 1, 4, 5, 5).macs == 0
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    found = count(attention, 1, 9, 16, forward=lambda x: attention(x, x, x))
    assert found.macs == 4 * 9 * 16 * 16 + 2 * 9 * 9 * 16
    query = torch.ones(1, 2, 6, 4)
    macs, _ = count_call(lambda: nn.functional.scaled_dot_product_attention(query, query, query))
    assert macs == 2 * 2 * 6 * 6 * 4


def test_hosts_counter_agrees_where_it_is_right():
    from mmengine.analysis import FlopAnalyzer

    cfg = find_backbone('mmpretrain:resnet/18')
    model = MODELS.build(cfg)
    model.eval()
    image = torch.zeros(1, 3, 64, 64)
    theirs = FlopAnalyzer(model, image).unsupported_ops_warnings(False)
    ours = count(build_part(cfg), 1, 3, 64, 64).macs
    convolutions = theirs.by_operator()['conv']
    assert ours == convolutions


def test_a_network_that_does_not_take_a_size_is_named():
    with pytest.raises(UserError, match='Linear does not run on 8x9 pixels'):
        count(nn.Linear(5, 2), 1, 3, 8, 9)


def test_pictures_of_other_channels_are_counted(run_tool, tmp_path):
    config = tmp_path / 'twelve.py'
    base = Path('configs/sacm_camvid_light.py').resolve()
    config.write_text(
        f"_base_ = '{base}'\nmodel = dict(backbone=dict(arch='d8-l1-k3-p4', in_channels=12), "
        'decode_head=dict(in_channels=8, upscale_factor=4), data_preprocessor=dict('
        "type='sacm_mm.SegDataPreProcessor', mean=[9.0] * 12, std=[9.0] * 12, bgr_to_rgb=False))\n"
    )
    out = tmp_path / 'costs.csv'
    done = run_tool('benchmark', 'complexity', config, '--size', 32, '--out', out)
    assert done.code == 0, done.err
    with out.open() as file:
        (row,) = csv.DictReader(file)
    tokens = 8 * 8
    stem, block, head = 12 * 16 * 8, 9 * 8 + 8 * 8, 8 * 11 * 16
    assert int(row['macs']) == tokens * (stem + block + head)


class Whole(BaseClassifier):
    """A classifier without a backbone, as the host makes them of networks of timm."""

    def __init__(self, data_preprocessor, **settings):
        super().__init__(data_preprocessor=data_preprocessor)
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Flatten())

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.model(inputs)


def test_a_classifier_without_a_backbone_is_counted():
    """It ended a benchmark, and a study after its trainings, in a traceback."""
    mean = dict(type='ClsDataPreprocessor', mean=[9.0] * 3, std=[9.0] * 3)
    cfg = dict(model=dict(type=Whole, data_preprocessor=mean), default_scope='mmpretrain')
    found = count_config(cfg, (10, 10))
    assert found['macs'] == 27 * 8 * 8 * 8
    assert found['backbone_parameters'] == found['parameters'] == 27 * 8


def test_a_latency_is_of_the_size_beside_it(run_tool, tmp_path):
    """The table had the studied networks' latency at another size than the one it named."""
    runs = ('--budget', 'tiny', '--runs', tmp_path)
    done = run_tool('benchmark', 'complexity', 'stem_cifar10', *runs, '--size', 64, '--latency')
    assert 'leave out --size' in done.error and not list(tmp_path.iterdir())


def test_the_tool_counts_studies_configs_and_backbones(run_tool, tmp_path):
    out = tmp_path / 'costs.csv'
    done = run_tool(
        'benchmark', 'complexity', 'stem_cifar10', 'sacm_cifar10_light.py',
        'sa-convmixer-d256-l8-k7-p2', '--size', 32, '--out', out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row['network'] for row in rows] == [
        *(f'stem_cifar10/{n}{g}' for g in ('', '-glorot') for n in ('conv', 'pixel-unshuffle')),
        'sacm_cifar10_light.py',
        'sa-convmixer-d256-l8-k7-p2',
    ]
    assert int(rows[-1]['macs']) == convmixer(256, 8, 7, 2, 32)[0]
    assert int(rows[-2]['macs']) == convmixer(256, 8, 5, 2, 32)[0] + 2560
    assert 'did you mean' in run_tool('benchmark', 'complexity', 'resnet17').error


def test_networks_that_have_no_latency_are_in_one_table_with_some_that_have(run_tool, tmp_path):
    out = tmp_path / 'costs.csv'
    done = run_tool(
        'benchmark', 'complexity', 'sa-convmixer-d8-l1-k3-p2', 'stem_cifar10', '--budget', 'tiny',
        '--latency', '--runs', tmp_path / 'runs', '--out', out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with out.open() as file:
        first, *others = csv.DictReader(file)
    assert first['latency_ms'] == ''
    assert all(float(row['latency_ms']) > 0 for row in others)


def test_a_table_that_cannot_be_written_is_refused_before_networks_are_counted(run_tool, tmp_path):
    out = tmp_path / 'costs.csv'
    out.mkdir()
    done = run_tool('benchmark', 'complexity', 'resnet17', '--out', out)
    assert 'it is a folder' in done.error
