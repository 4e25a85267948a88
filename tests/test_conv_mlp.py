import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import load_checkpoint
from torch.utils.flop_counter import FlopCounterMode

from sacm_mm import ConvMLP, UserError
from sacm_mm.convert import load
from sacm_mm.core.configs import find_config
from sacm_mm.models.backbones.conv_mlp import ARCHS, classifier_state

# facts of the paper: parameters in millions, multiply-accumulates in billions, published tensors
PUBLISHED = {'s': (9.023, 2.385, 184), 'm': (17.411, 3.929, 262), 'l': (42.728, 9.870, 307)}


def _classifier(arch):
    dims = (ARCHS[arch] if isinstance(arch, str) else arch)['dims']
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='sacm_mm.ConvMLP', arch=arch),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=1000, in_channels=dims[-1]),
            )
        )


def _save(tensors, folder):
    path = folder / 'published.pth'
    torch.save(tensors, path)
    return path


def _conv_norm(names, shapes):
    """Shapes of convolutions without bias, each before a batch norm."""
    out = {}
    for (conv, norm), shape in zip(names, shapes):
        out[f'{conv}.weight'] = shape
        for tensor in ('weight', 'bias', 'running_mean', 'running_var'):
            out[f'{norm}.{tensor}'] = shape[:1]
        out[f'{norm}.num_batches_tracked'] = ()
    return out


def _published(arch):
    """Random tensors under the names and of the shapes of a published file."""
    c, dims, ratio = arch['channels'], arch['dims'], arch['mlp_ratio']
    pairs = (('0', '1'), ('3', '4'), ('6', '7'))
    shapes = _conv_norm(
        [tuple(f'tokenizer.block.{i}' for i in pair) for pair in pairs],
        [(c // 2, 3, 3, 3), (c // 2, c // 2, 3, 3), (c, c // 2, 3, 3)],
    )
    for n in range(arch['conv_blocks']):
        shapes |= _conv_norm(
            [tuple(f'conv_stages.conv_blocks.{n}.{i}' for i in pair) for pair in pairs],
            [(dims[0], c, 1, 1), (dims[0], dims[0], 3, 3), (c, dims[0], 1, 1)],
        )
    downs = {'conv_stages.downsample': (dims[0], c)}
    downs |= {f'stages.{i}.downsample_mlp.downsample': (dims[i + 1], dims[i]) for i in (0, 1)}
    for name, pair in downs.items():
        shapes |= {f'{name}.weight': (*pair, 3, 3), f'{name}.bias': pair[:1]}
    for i, (dim, blocks) in enumerate(zip(dims, arch['blocks'])):
        for block in (f'stages.{i}.blocks.{j}' for j in range(blocks)):
            for norm in ('norm1', 'norm2', 'connect_norm'):
                shapes |= {f'{block}.{norm}.weight': (dim,), f'{block}.{norm}.bias': (dim,)}
            shapes[f'{block}.connect.weight'] = (dim, 1, 3, 3)
            for mlp in (f'{block}.channel_mlp1', f'{block}.channel_mlp2'):
                shapes |= {
                    f'{mlp}.fc1.weight': (dim * ratio, dim),
                    f'{mlp}.fc1.bias': (dim * ratio,),
                }
                shapes |= {f'{mlp}.fc2.weight': (dim, dim * ratio), f'{mlp}.fc2.bias': (dim,)}
    shapes |= {'norm.weight': dims[-1:], 'norm.bias': dims[-1:]}
    shapes |= {'head.weight': (1000, dims[-1]), 'head.bias': (1000,)}
    torch.manual_seed(0)
    return {
        name: torch.tensor(7) if shape == () else torch.rand(shape) / 2 + 0.1
        for name, shape in shapes.items()
    }


def _reference(p, arch, x):
    """The network from the tensors of a published file, in evaluation mode; its maps and scores."""

    def conv_norm_relu(x, name, first, stride=1):
        weight = p[f'{name}.{first}.weight']
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        norm = f'{name}.{first + 1}'
        mean, var = p[f'{norm}.running_mean'], p[f'{norm}.running_var']
        return F.relu(F.batch_norm(x, mean, var, p[f'{norm}.weight'], p[f'{norm}.bias']))

    def down(x, name):
        return F.conv2d(x, p[f'{name}.weight'], p[f'{name}.bias'], stride=2, padding=1)

    def layer_norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[f'{name}.weight'], p[f'{name}.bias'])

    def linear(x, name):
        return F.linear(x, p[f'{name}.weight'], p[f'{name}.bias'])

    def mlp(x, name):
        return linear(F.gelu(linear(x, f'{name}.fc1')), f'{name}.fc2')

    for first, stride in ((0, 2), (3, 1), (6, 1)):
        x = conv_norm_relu(x, 'tokenizer.block', first, stride)
    x = F.max_pool2d(x, 3, 2, 1)
    maps = [x]
    for n in range(arch['conv_blocks']):
        y = x
        for first in (0, 3, 6):
            y = conv_norm_relu(y, f'conv_stages.conv_blocks.{n}', first)
        x = x + y
    x = down(x, 'conv_stages.downsample')
    maps.append(x)
    for i, blocks in enumerate(arch['blocks']):
        x = x.movedim(1, -1)
        for block in (f'stages.{i}.blocks.{j}' for j in range(blocks)):
            x = x + mlp(layer_norm(x, f'{block}.norm1'), f'{block}.channel_mlp1')
            x = layer_norm(x, f'{block}.connect_norm').movedim(-1, 1)
            x = F.conv2d(x, p[f'{block}.connect.weight'], padding=1, groups=x.shape[1])
            x = x.movedim(1, -1)
            x = x + mlp(layer_norm(x, f'{block}.norm2'), f'{block}.channel_mlp2')
        x = x.movedim(-1, 1)
        if i < 2:
            x = down(x, f'stages.{i}.downsample_mlp.downsample')
        if i == 0:
            maps.append(x)
    maps.append(x)
    scores = linear(layer_norm(x.movedim(1, -1), 'norm').mean((1, 2)), 'head')
    return maps, scores


@pytest.mark.parametrize('arch', PUBLISHED)
def test_parameters_and_macs_are_the_published_ones(arch):
    params, gmacs, _ = PUBLISHED[arch]
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net = _classifier(arch).eval()
        net(torch.zeros(1, 3, 224, 224))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 3) == params
    assert round(counter.get_total_flops() / 2e9, 3) == gmacs


@pytest.mark.parametrize('arch', PUBLISHED)
def test_published_files_load_as_they_are(arch):
    published = _published(ARCHS[arch])
    assert len(published) == PUBLISHED[arch][2]
    net = _classifier(arch)
    net.load_state_dict(published, strict=True)
    assert torch.equal(net.head.fc.weight, published['head.weight'])
    loaded = net.state_dict()
    assert loaded.keys() == classifier_state(published).keys()
    assert all(torch.equal(loaded[k], v) for k, v in classifier_state(published).items())
    backbone = ConvMLP(arch)  # its part, for dense tasks
    backbone.load_state_dict(published, strict=True)
    assert all(torch.equal(published[k], v) for k, v in backbone.state_dict().items())


def test_published_weights_compute_the_published_network():
    arch = dict(ConvMLP.small['arch'])
    published = {
        name: tensor.double() if tensor.ndim else tensor
        for name, tensor in _published(arch).items()
    }
    x = torch.rand(2, 3, 50, 37, dtype=torch.float64)
    maps, scores = _reference(published, arch, x)
    net = _classifier(arch).double().eval()
    net.load_state_dict(published, strict=True)
    torch.testing.assert_close(net(x), scores)
    dense = ConvMLP(arch, out_indices=(0, 1, 2, 3), out_norm=False).double().eval()
    dense.load_state_dict(published, strict=True)
    torch.testing.assert_close(list(dense(x)), maps)


def test_published_file_as_init_cfg_and_by_the_hosts_loader(tmp_path):
    arch = dict(ConvMLP.small['arch'])
    published = _published(arch)
    path = str(_save(published, tmp_path))
    dense = ConvMLP(arch, out_norm=False, init_cfg=dict(type='Pretrained', checkpoint=path))
    dense.init_weights()
    assert all(torch.equal(published[k], v) for k, v in dense.state_dict().items())
    net = _classifier(arch)
    load_checkpoint(net, path, strict=True)
    assert torch.equal(net.backbone.norm.weight, published['norm.weight'])


@pytest.mark.parametrize('arch', ['s', 'm'])
def test_converted_files_say_which_network_they_are(arch, tmp_path):
    published = _published(ARCHS[arch])
    published['head.weight'], published['head.bias'] = torch.ones(5, 1), torch.ones(5)
    with pytest.raises(UserError, match=r"'head.weight' has shape \(5, 1\) where \(5, \d+\) fits"):
        load(_save(published, tmp_path))
    published['head.weight'] = torch.ones(5, ARCHS[arch]['dims'][-1])
    model_cfg, state = load(_save(published, tmp_path))
    assert (model_cfg['backbone']['arch'], model_cfg['head']['num_classes']) == (arch, 5)
    MODELS.build(model_cfg).load_state_dict(state, strict=True)
    del published['norm.bias']
    with pytest.raises(UserError, match=r'ConvMLP: it has \d+ tensors where s has 184, m has 262'):
        load(_save(published, tmp_path))


def test_the_tool_converts_a_published_file_into_its_config(run_tool, tmp_path):
    source, out = _save(_published(ARCHS['s']), tmp_path), tmp_path / 'out.pth'
    assert run_tool('convert_weights', source, out).code == 0
    cfg = Config.fromfile(out.with_suffix('.py'))
    published = Config.fromfile(find_config('convmlp_s_imagenet.py'))
    assert cfg.train_dataloader == published.train_dataloader
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        net = MODELS.build(cfg.model)
    load_checkpoint(net, cfg.load_from, strict=True)


def test_other_files_are_still_refused():
    net = _classifier(dict(ConvMLP.small['arch']))
    state = net.state_dict()
    net.load_state_dict(state, strict=True)
    del state['backbone.norm.bias']
    with pytest.raises(RuntimeError, match=r'Missing key.*backbone\.norm\.bias'):
        net.load_state_dict(state, strict=True)
    published = _published(ConvMLP.small['arch'])
    published['tail.weight'] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*tail'):
        net.load_state_dict(published, strict=True)


def test_drop_path_rises_within_each_stage():
    backbone = ConvMLP('s', drop_path_rate=0.1)
    rates = [
        [getattr(block.drop_path, 'drop_prob', 0.0) for block in stage.blocks]
        for stage in backbone.stages
    ]
    assert rates == [pytest.approx(r) for r in ([0, 0.1], [0, 0.1 / 3, 0.2 / 3, 0.1], [0, 0.1])]


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (dict(dims=(8, 16)), 'dims must be 3 positive integers'),
        (dict(blocks=(1, 0, 1)), 'blocks must be 3 positive integers'),
        (dict(channels=8.0), 'channels must be a positive integer'),
        (dict(width=8), 'exactly the keys'),
    ],
)
def test_wrong_sizes_are_named(change, says):
    with pytest.raises(UserError, match=says):
        ConvMLP({**ConvMLP.small['arch'], **change})
    with pytest.raises(UserError, match="unknown arch 'xl': choose from s, m, l"):
        ConvMLP('xl')
