"""Other people's networks: what is found out about them, and what is refused."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

import sacm_mm
from sacm_mm import UserError
from sacm_mm.swap import check_config, find_backbone, notes
from sacm_mm.swap.registered import as_backbone
from sacm_mm.swap.sources import module_of_file, needed_path

NETWORKS = Path(__file__).parent / 'foreign_networks'
SEGMENT = Config(
    dict(
        default_scope='mmseg',
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 64)),
            backbone=dict(type='ResNetV1c', depth=18, base_channels=8, stem_channels=8),
            decode_head=dict(
                type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1, num_classes=5
            ),
            auxiliary_head=dict(
                type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1, num_classes=5
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        ),
    )
)


@pytest.fixture(autouse=True)
def path_as_before(monkeypatch):
    monkeypatch.setattr(sys, 'path', [*sys.path, str(NETWORKS / 'elsewhere')])


def _find(name, **sizes):
    return find_backbone(str(NETWORKS / name), **sizes)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('stages.py:FourStages(dim=8)',
         dict(out_channels=[8, 16, 32, 64], out_strides=[4, 8, 16, 32])),
        ('mapping.py:DictNet(8)', dict(out_indices=[3, 1, 0], out_channels=[8, 16, 32])),
        ('one_map.py:OneMap', dict(out_strides=[12], size_divisor=12)),
        ('class_token.py:ClassTokens',
         dict(layouts='NLC', extra_tokens=1, square=True, size_divisor=16, out_strides=[16])),
        ('token_stages.py:TokenStages(dims=[4, 8])',
         dict(layouts='NLC', out_strides=[8, 16], out_channels=[4, 8])),
        ('channels_last.py:WindowNet',
         dict(layouts='NHWC', size_divisor=32, out_strides=[4, 8, 16])),
        ('beside/backbone.py', dict(imports=['beside_net'], out_strides=[4, 8, 16, 32])),
        ('package/classifier.py:Classifier@stages.1,stages.3',
         dict(layers=['stages.1', 'stages.3'], out_strides=[8, 32])),
    ],
)  # fmt: skip
def test_every_habit_is_found_out_and_trains(name, expected):
    found = _find(name)
    assert {key: found[key] for key in expected} == expected
    new = sacm_mm.swap_backbone(SEGMENT, found)
    verdict = check_config(new, sizes=[(70, 90)])
    assert verdict.works, verdict


def test_code_from_python_path_and_relative_files_are_carried():
    folders = [str(NETWORKS.resolve()), str((NETWORKS / 'elsewhere').resolve())]
    assert _find('package/classifier.py:Classifier@stages.3')['python_path'] == folders
    network = _find('beside/backbone.py')['network']
    assert network['widths'] == str((NETWORKS / 'beside/widths.txt').resolve())
    assert network['type'] == 'mmseg.BesideNet'


def test_what_is_found_out_is_said():
    text = ' '.join(notes(_find('class_token.py:ClassTokens')))
    assert 'as NLC' in text and 'first 1 of its tokens' in text
    assert 'multiples of 16, in squares only' in text and 'python_path' in text


def test_maps_are_the_networks_own():
    backbone = MODELS.build(_find('class_token.py:ClassTokens')).eval()
    images = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        (found,) = backbone(images)
        tokens = backbone.network(torch.nn.functional.pad(images, (0, 0, 0, 16)))
    expected = tokens[:, 1:].transpose(1, 2).reshape(2, 16, 3, 3)[:, :, :2]
    torch.testing.assert_close(found, expected)
    assert found.shape == (2, 16, 2, 3)


def test_a_copy_taps_its_own_layers():
    backbone = MODELS.build(_find('package/classifier.py:Classifier@stages.3')).eval()
    twin = copy.deepcopy(backbone)
    torch.nn.init.zeros_(twin.network.stages[3].proj.weight)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.equal(backbone(images)[0], twin(images)[0])
        assert list(backbone.network._forward_hooks) == []


def test_published_weights_load_under_their_own_names(tmp_path):
    cfg = _find('mapping.py:DictNet(8)')
    weights = MODELS.build(cfg).network.state_dict()
    torch.save(weights, tmp_path / 'net.pth')
    cfg['init_cfg'] = dict(type='Pretrained', checkpoint=str(tmp_path / 'net.pth'))
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    torch.testing.assert_close(backbone.network.state_dict(), weights)


def test_torchvision_by_name_keeps_what_its_maps_need():
    found = find_backbone('torchvision:mobilenet_v3_small')
    assert found['out_strides'] == [4, 8, 16, 32]
    names = dict(MODELS.build(found).named_parameters())
    assert not any('classifier' in name for name in names)


def test_hugging_face_from_a_type_and_from_a_folder(tmp_path):
    transformers = pytest.importorskip('transformers')
    found = find_backbone('hf:swin(embed_dim=8, depths=[1, 1], num_heads=[1, 1])')
    assert (found['out_strides'], found['out_channels']) == ([4, 8], [8, 16])
    config = transformers.SwinConfig(embed_dim=8, depths=[1, 1], num_heads=[1, 1])
    config.save_pretrained(tmp_path)
    assert find_backbone(f'hf:{tmp_path}')['out_channels'] == [8, 16]
    with pytest.raises(UserError, match="no backbone 'swim': did you mean swin"):
        find_backbone('hf:swim')
    with pytest.raises(UserError, match='no local folder'):
        find_backbone('hf:microsoft/swin-tiny')


@pytest.mark.parametrize(
    ('name', 'says'),
    [
        ('package/classifier.py:Classifier',
         r"returns no feature maps but \(2, 1000\).*'@stages.0,stages.1,stages.2,stages.3'"),
        ('token_stages.py:token_stages_tiny(pretrained=True)', 'asks weights.example.org'),
        ('stages.py:FourStage', 'did you mean FourStages'),
        ('stages.py:torch', 'no class and no function'),
        ('mapping.py:OrderedDict', 'not of torch.nn.Module'),
        ('mapping.py:DictNet', "missing 1 required positional argument: 'width'"),
        ('mapping.py:DictNet(width=x)', 'no plain values'),
        ('missing.py:Net', 'does not exist'),
        ('stages.py:FourStages@stages.9', "no layer 'stages.9': it has stages"),
        ('stages.py', 'code, not a config: name the network in it, .*stages.py:FourStages'),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_reason(name, says):
    with pytest.raises(UserError, match=says):
        _find(name)


def test_modules_that_are_not_there():
    with pytest.raises(UserError, match=r"no module 'nowhere\.net'"):
        find_backbone('nowhere.net:Net')
    with pytest.raises(UserError, match="has no source 'no-host'"):
        find_backbone('no-host:net')


def test_one_image_size_only(tmp_path):
    (tmp_path / 'fixed_net.py').write_text(
        'import torch\nfrom torch import nn\n'
        'class Fixed(nn.Module):\n'
        '    def __init__(self, img_size=32, dim=8):\n'
        '        super().__init__()\n'
        '        self.embed = nn.Conv2d(3, dim, 8, 8)\n'
        '        self.pos = nn.Parameter(torch.zeros(1, (img_size // 8) ** 2, dim))\n'
        '    def forward(self, x):\n'
        '        return self.embed(x).flatten(2).transpose(1, 2) + self.pos\n'
    )
    name = f'{tmp_path}/fixed_net.py:Fixed'
    found = find_backbone(name, size=(64, 64))
    assert found['network']['img_size'] == 64 and found['image_size'] == [64, 64]
    with pytest.raises(UserError, match=r'model\.test_cfg\.mode=slide'):
        sacm_mm.swap_backbone(SEGMENT, name)
    slide = copy.deepcopy(SEGMENT)
    slide.model.test_cfg = dict(mode='slide', crop_size=(64, 64), stride=(40, 40))
    assert check_config(sacm_mm.swap_backbone(slide, name), sizes=[64]).works
    with pytest.raises(UserError, match='takes images of 64x64 only, but got 65x64'):
        MODELS.build(found)(torch.zeros(1, 3, 65, 64))


def test_a_network_that_opens_files_of_this_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / 'here_net.py').write_text(
        'from torch import nn\n'
        'def here_net():\n'
        "    return nn.Conv2d(3, int(open('width.txt').read()), 4, 4)\n"
    )
    (tmp_path / 'width.txt').write_text('8')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='in this folder only'):
        find_backbone('here_net.py:here_net')


def test_maps_without_out_indices_are_picked_by_a_neck():
    sys.path.append(str(NETWORKS / 'beside'))
    import beside_net  # noqa: F401

    widths = str(NETWORKS / 'beside/widths.txt')
    new = sacm_mm.swap_backbone(SEGMENT, dict(type='BesideNet', widths=widths))
    assert new.model.backbone.type == 'BesideNet'
    assert new.model.neck[0] == dict(type='sacm_mm.FeatureForm', predict=[2, 3], train=[2, 3])
    assert check_config(new, sizes=[64]).works


def test_an_installed_network_of_plain_maps_is_left_as_it_is(monkeypatch):
    class Installed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, 4, 1)

        def forward(self, x):
            return (self.conv(x),)

    Installed.__module__ = 'torch.nn'  # of a package that any process finds
    monkeypatch.setitem(MODELS.module_dict, 'Installed', Installed)
    backbone = dict(type='Installed')
    assert as_backbone(backbone, 'mmengine', (64, 64), 3) == backbone


def test_where_files_import_from(tmp_path):
    package = tmp_path / 'top/inner'
    package.mkdir(parents=True)
    (package / 'net.py').write_text('from ..other import x\n')
    assert module_of_file(package / 'net.py') == ('top.inner.net', tmp_path)
    (package / 'net.py').write_text('import torch\n')
    assert module_of_file(package / 'net.py') == ('net', package)
    (package / '__init__.py').write_text('')
    assert module_of_file(package / 'net.py') == ('inner.net', tmp_path / 'top')
    assert needed_path([torch, sys.modules['json']]) == []


def test_layers_of_a_network_of_one_size_are_named(tmp_path):
    (tmp_path / 'tables_net.py').write_text(
        'import torch\nfrom torch import nn\n'
        'class Tables(nn.Module):\n'
        '    def __init__(self):\n'
        '        super().__init__()\n'
        '        self.embed = nn.Conv2d(3, 8, 16, 16)\n'
        '        self.pos = nn.Parameter(torch.zeros(1, 14 * 14, 8))\n'
        '        self.norm = nn.LayerNorm(8)\n'
        '        self.head = nn.Sequential(nn.Linear(8, 10))\n'
        '    def forward(self, x):\n'
        '        x = self.norm(self.embed(x).flatten(2).transpose(1, 2) + self.pos)\n'
        '        return self.head(x.mean(1))\n'
    )
    with pytest.raises(UserError, match="append '@norm'"):
        find_backbone(f'{tmp_path}/tables_net.py:Tables')
