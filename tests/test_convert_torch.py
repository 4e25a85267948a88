"""ConvMixer of locuslab, timm and mmpretrain, and the authors' CIFAR-10 network, both ways."""

import argparse
import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmpretrain.models import ConvMixer
from torch import nn

from sacm_mm import UserError
from sacm_mm.convert import load
from sacm_mm.convert.classifier import load as load_classifier
from sacm_mm.convert.convmixer import NAMINGS, to_convmixer
from sacm_mm.registry import MODELS

PUBLISHED = {  # dim, depth, kernel, patch, activation
    '768/32': (768, 32, 7, 7, 'ReLU'),
    '1024/20': (1024, 20, 9, 14, 'GELU'),
    '1536/20': (1536, 20, 9, 7, 'GELU'),
}


class Residual(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.fn = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.fn(x)


def blocks(dim, depth, kernel, act):
    def block():
        mix = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        residual = Residual(mix, act(), nn.BatchNorm2d(dim))
        return nn.Sequential(residual, nn.Conv2d(dim, dim, 1), act(), nn.BatchNorm2d(dim))

    return [block() for _ in range(depth)]


def sequential(dim, depth, kernel, patch, classes, act=nn.GELU, unshuffle=False):
    """A network as locuslab writes it, or, with ``unshuffle``, as SA-ConvMixer's authors do."""
    stem = [nn.Conv2d(3, dim, patch, stride=patch)]
    if unshuffle:
        stem = [nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, dim, 1)]
    return randomized(
        nn.Sequential(
            *stem,
            act(),
            nn.BatchNorm2d(dim),
            *blocks(dim, depth, kernel, act),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(dim, classes),
        )
    )


class Timm(nn.Module):
    """A network with timm's names."""

    def __init__(self, dim, depth, kernel, patch, classes):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, dim, patch, stride=patch), nn.GELU(), nn.BatchNorm2d(dim)
        )
        self.blocks = nn.Sequential(*blocks(dim, depth, kernel, nn.GELU))
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class MMPretrain(nn.Module):
    """The installed ``mmpretrain.ConvMixer`` and a head, with the names of an ImageClassifier."""

    def __init__(self, dim, depth, kernel, patch, classes, act='GELU'):
        super().__init__()
        arch = dict(embed_dims=dim, depth=depth, kernel_size=kernel, patch_size=patch)
        # out_indices=(-1,) raises there
        self.backbone = ConvMixer(arch, act_cfg=dict(type=act), out_indices=depth - 1)
        self.head = nn.ModuleDict(dict(fc=nn.Linear(dim, classes)))

    def forward(self, x):
        return self.head.fc(self.backbone(x)[-1].mean((2, 3)))


def randomized(model):
    """Give norms statistics as of training, or those that are mixed up would not be noticed."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked.fill_(7)
    # eval() returns None for mmpretrain's
    model.train(False)
    return model


SOURCES = {
    'locuslab': sequential,
    'timm': lambda *sizes: randomized(Timm(*sizes)),
    'mmpretrain': lambda *sizes: randomized(MMPretrain(*sizes)),
}


def save(content, path):
    torch.save(content, path)
    return path


def converted(path):
    """Build what a file becomes."""
    model_cfg, state_dict = load(path)
    model = MODELS.build(model_cfg).eval()
    model.load_state_dict(state_dict, strict=True)
    return model, model_cfg, state_dict


@torch.no_grad()
def assert_same(ours, theirs, patch, tokens=(3, 2)):
    x = torch.randn(2, 3, patch * tokens[0], patch * tokens[1])
    found, expected = ours(x, mode='tensor'), theirs(x)
    found = ours.head((ours.extract_feat(x)[-1],)) if found is None else found
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize('naming', SOURCES)
@pytest.mark.parametrize('size', PUBLISHED)
def test_convmixer_there_and_back(size, naming, tmp_path):
    dim, _, kernel, patch, _ = PUBLISHED[size]
    theirs = SOURCES[naming](dim // 16, 2, kernel, patch, 11)
    path = save(theirs.state_dict(), tmp_path / 'theirs.pth')
    ours, model_cfg, state_dict = converted(path)
    assert model_cfg['backbone']['arch'] == f'd{dim // 16}-l2-k{kernel}-p{patch}'
    assert model_cfg['head']['num_classes'] == 11
    assert_same(ours, theirs, patch)
    back = to_convmixer(state_dict, naming, path)
    assert list(back) and back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.state_dict().items())


@pytest.mark.parametrize('size', PUBLISHED)
@pytest.mark.parametrize('naming', NAMINGS)
def test_activation_and_arch_of_the_published_sizes(size, naming, tmp_path):
    dim, depth, kernel, patch, act = PUBLISHED[size]
    with torch.device('meta'):
        net = MMPretrain(dim, depth, kernel, patch, 1000)
    places = NAMINGS['mmpretrain'](depth)
    model_cfg, _ = load_classifier(net.state_dict(), places, tmp_path)
    assert model_cfg['backbone']['arch'] == f'd{dim}-l{depth}-k{kernel}-p{patch}'
    assert model_cfg['backbone']['act_cfg'] == dict(type=act)
    assert model_cfg['data_preprocessor']['mean'] == [123.675, 116.28, 103.53]


@pytest.mark.slow
@pytest.mark.parametrize('size', PUBLISHED)
def test_published_sizes_agree_with_mmpretrain(size, tmp_path):
    *sizes, act = PUBLISHED[size]
    theirs = randomized(MMPretrain(*sizes, 1000, act))
    path = save(theirs.state_dict(), tmp_path / 'theirs.pth')
    ours, model_cfg, state_dict = converted(path)
    assert model_cfg['backbone']['act_cfg'] == dict(type=act)
    assert_same(ours, theirs, sizes[-1], tokens=(8, 8))
    back = to_convmixer(state_dict, 'mmpretrain', path)
    assert all(torch.equal(back[key], tensor) for key, tensor in theirs.state_dict().items())


@pytest.mark.parametrize('name', ['convmixer_768_32', 'convmixer_1024_20_ks9_p14'])
@pytest.mark.slow
def test_installed_timm(name, tmp_path):
    timm = pytest.importorskip('timm')
    theirs = randomized(timm.create_model(name))
    path = save(theirs.state_dict(), tmp_path / 'theirs.pth')
    ours, _, state_dict = converted(path)
    assert_same(ours, theirs, ours.backbone.patch_size, tokens=(4, 4))
    theirs.load_state_dict(to_convmixer(state_dict, 'timm', path), strict=True)


@pytest.mark.parametrize('parallel', [False, True])
def test_authors_cifar10(parallel, tmp_path):
    theirs = sequential(16, 3, 7, 2, 10, unshuffle=True)
    state_dict = (nn.DataParallel(theirs) if parallel else theirs).state_dict()
    assert next(iter(state_dict)) == ('module.1.weight' if parallel else '1.weight')
    ours, model_cfg, _ = converted(save(state_dict, tmp_path / 'ConvMixer_ks7.pt'))
    assert model_cfg['backbone'] == dict(
        type='sacm_mm.SAConvMixer', arch='d16-l3-k7-p2', act_cfg=dict(type='GELU')
    )
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    std = torch.tensor([0.2471, 0.2435, 0.2616]).view(3, 1, 1)
    rgb = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    inputs = ours.data_preprocessor(dict(inputs=rgb.flip(0)[None]))['inputs']
    torch.testing.assert_close(inputs[0], (rgb / 255 - mean) / std, rtol=1e-4, atol=1e-5)
    assert_same(ours, theirs, 2)


def test_same_naming_as_the_stock_classifier(tmp_path):
    """The names on which the conversion rests are those of mmpretrain's own models."""
    init_default_scope('mmpretrain')  # its classifier names its parts without it
    theirs = MMPretrain(8, 2, 3, 7, 5)
    stock = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(
                type='mmpretrain.ConvMixer',
                arch=dict(embed_dims=8, depth=2, kernel_size=3, patch_size=7),
                out_indices=1,
            ),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=5, in_channels=8),
        )
    )
    assert stock.state_dict().keys() == theirs.state_dict().keys()


def test_checkpoints_of_training_tools(tmp_path):
    """What they save beside the weights is passed over, not run."""
    weights = sequential(8, 2, 3, 4, 5).state_dict()
    content = dict(
        state_dict=weights,
        args=argparse.Namespace(lr=0.01),
        message_hub=dict(loss=HistoryBuffer([1.0], [1]), best=np.float64(3.0)),
        meta=dict(epoch=1),
    )
    _, state_dict = load(save(content, tmp_path / 'epoch_1.pth.tar'))
    assert torch.equal(state_dict['head.fc.weight'], weights['7.weight'])


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('form', ['zip', 'before 1.6', 'pickle', 'pickle 4'])
def test_code_in_a_file_is_not_run(form, tmp_path):
    trap, path = tmp_path / 'trap', tmp_path / 'weights.pth'
    content = dict(state_dict=sequential(8, 2, 3, 4, 5).state_dict(), extra=Evil(trap))
    if form.startswith('pickle'):
        path.write_bytes(pickle.dumps(Evil(trap), protocol=4 if form == 'pickle 4' else 2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == 'zip')
    with pytest.raises(UserError) as refusal:
        load(path)
    assert not trap.exists()
    says = 'damaged' if form == 'pickle 4' else "refused, it asks for 'posix.mkdir'"
    assert says in str(refusal.value)
    assert '\n' not in str(refusal.value)
    pickle.loads(pickle.dumps(Evil(trap)))  # it is a trap indeed
    assert trap.exists()


def edited(**changes):
    state_dict = sequential(8, 2, 3, 4, 5).state_dict()
    for key, value in changes.items():
        key = key.replace('__', '.').lstrip('_')
        if value is None:
            del state_dict[key]
        else:
            state_dict[key] = value
    return state_dict


REFUSALS = {
    'another arch': (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).state_dict(),
        'no SA-ConvMixer, ConvMixer or ConvMLP: its tensors are called 0.weight, 0.bias',
    ),
    'missing': (lambda: edited(_4__3__running_var=None), "tensor '4.3.running_var' is missing"),
    'left': (
        lambda: edited(extra=torch.zeros(1), _9__weight=torch.zeros(1)),
        'what no ConvMixer has: 9.weight, extra',
    ),
    'shape': (
        lambda: edited(_4__1__weight=torch.zeros(8, 8, 3, 3)),
        r"tensor '4.1.weight' has shape \(8, 8, 3, 3\) where \(8, 8, 1, 1\) fits",
    ),
    'even kernels': (
        lambda: sequential(8, 2, 4, 4, 5).state_dict(),
        r"weights.pth' has kernels of 4x4: SA-ConvMixer takes odd ones",
    ),
    'stem': (
        lambda: edited(_0__weight=torch.zeros(8, 1, 4, 4)),
        r"no ConvMixer of colour images: tensor '0.weight' has shape \(8, 1, 4, 4\)",
    ),
    'nothing': (lambda: edited(_0__weight=torch.zeros(0, 3, 4, 4)), 'no ConvMixer of colour'),
    'scalar': (
        lambda: edited(_3__0__fn__0__weight=torch.tensor(1.0)),
        r"tensor '3.0.fn.0.weight' has shape \(\)",
    ),
    'list': (lambda: [1, 2], 'holds no weights'),
    'empty': (lambda: {}, 'holds no weights'),
    'no names': (lambda: {1: torch.zeros(1)}, 'holds no weights'),
    'numbers': (lambda: dict(state_dict=dict(a=1)), 'holds no weights'),
    'module': (lambda: nn.Linear(2, 2), "asks for 'torch.nn.modules.linear.Linear'"),
    'ours': (lambda: {'backbone.stem.proj.weight': torch.zeros(1)}, 'of sacm_mm already'),
}  # fmt: skip


@pytest.mark.parametrize('name', REFUSALS)
def test_refusals(name, tmp_path):
    content, says = REFUSALS[name]
    with pytest.raises(UserError, match=says) as refusal:
        load(save(content(), tmp_path / 'weights.pth'))
    assert '\n' not in str(refusal.value)


@pytest.mark.parametrize(
    ('data', 'says'),
    [
        (b'', 'unknown format'),
        (b'hello', 'unknown format'),
        (b'PK\x03\x04' + bytes(100), 'damaged'),
        (b'\x80\x02' + bytes(100), 'damaged'),
    ],
)
def test_other_files(data, says, tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_bytes(data)
    with pytest.raises(UserError, match=says):
        load(path)


def test_truncated_file(tmp_path):
    path = save(sequential(8, 2, 3, 4, 5).state_dict(), tmp_path / 'weights.pth')
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match='damaged'):
        load(path)


def test_missing_file(tmp_path):
    for path in (tmp_path / 'none.pth', tmp_path):
        with pytest.raises(UserError, match='does not exist or is no file'):
            load(path)


def test_only_our_classifier_becomes_a_convmixer(tmp_path):
    weights = edited()
    with pytest.raises(UserError, match='no checkpoint of sacm_mm'):
        to_convmixer(weights, 'timm', tmp_path)
    _, state_dict = load(save(weights, tmp_path / 'weights.pth'))
    with pytest.raises(UserError, match='choose from locuslab, timm, mmpretrain'):
        to_convmixer(state_dict, 'keras', tmp_path)
    state_dict['decode_head.conv_seg.weight'] = torch.zeros(1)
    with pytest.raises(UserError, match='what no ConvMixer has: decode_head'):
        to_convmixer(state_dict, 'timm', tmp_path)
