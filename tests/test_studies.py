"""Studies fix everything but the network, and say what is wrong with them at once."""

import json
import re
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest
import torch

from sacm_mm import UserError, convert_stem
from sacm_mm.benchmark.complexity import count_config
from sacm_mm.core.configs import find_study, read_config
from sacm_mm.deploy.runtimes import RUNTIMES
from sacm_mm.studies.actions import list_studies, plan_runs
from sacm_mm.studies.network_costs import (
    _by_runtime,
    _exported,
    _plain,
    _runs,
    keep_costs,
    measure_costs,
)  # fmt: skip
from sacm_mm.studies.recipe import config_diff, model_of, recipe_of, set_lr
from sacm_mm.studies.records import study_record
from sacm_mm.studies.runs import check_builds
from sacm_mm.studies.schema import mistakes_in
from sacm_mm.studies.study import choose_networks, load_study
from sacm_mm.studies.tables import fastest_way
from sacm_mm.studies.whole import whole_model

STUDIES = list_studies()
# A backbone's widths, and what passes its maps on to the head.
FOLLOWS = re.compile(
    r'(backbone|neck)\b|(decode_head|head)\.(in_channels|in_index|upscale_factor)\b'
)


def every_budget():
    for path in STUDIES:
        for budget in read_config(path).budgets:
            yield pytest.param(path, budget, id=f'{path.stem}-{budget}')


def test_there_are_studies():
    assert len(STUDIES) >= 9


def expanded(study):
    """Every network's config at one rate, but of those that need a package that is not there."""
    for network in study.networks.values():
        if not str(network.backbone).startswith('timm:') or find_spec('timm'):
            yield network, study.expand(replace(network, lr=None), 0)


def check_that_only_the_network_differs(study, networks):
    models, recipes = [], []
    for network, cfg in networks:
        check_builds(cfg)
        models.append(model_of(cfg))
        recipes.append(recipe_of(cfg))
        if not network.model and not network.whole:  # else it says itself what differs
            differ = config_diff(models[-1], model_of({'model': study.cfg.model}))
            assert [line for line in differ if not FOLLOWS.match(line)] == []
    assert all(model not in models[:i] for i, model in enumerate(models))
    assert all(config_diff(recipe, recipes[0]) == [] for recipe in recipes)


@pytest.mark.parametrize('name', ['camvid_seg', 'cifar10_cls', 'nyu_depth', 'head_camvid'])
def test_everything_is_fixed_but_the_network(name):
    """The first two of a study; the slow test has all of all."""
    study = load_study(name, 'tiny')
    check_that_only_the_network_differs(study, islice(expanded(study), 2))


@pytest.mark.slow
@pytest.mark.parametrize(('path', 'budget'), every_budget())
def test_everything_is_fixed_under_every_budget(path, budget):
    study = load_study(str(path), budget)
    assert study.networks and study.seeds and study.steps > 0
    check_that_only_the_network_differs(study, expanded(study))


def test_whole_models_have_the_studys_classes_and_recipe():
    study = load_study('camvid_seg', 'tiny')
    wholes = [network for network in study.networks.values() if network.whole]
    assert len(wholes) >= 4
    for network in wholes:
        cfg = study.expand(network, 0)
        check_builds(cfg)
        assert recipe_of(cfg) == recipe_of(study.expand(study.networks['sa-convmixer'], 0))
        text = str(cfg.model)
        assert 'SyncBN' not in text and 'OHEM' not in text and 'Pretrained' not in text
        assert 'momentum' not in text  # Fast-SCNN's fits 160000 steps
        assert cfg.model.decode_head.num_classes == 11
        loss = cfg.model.decode_head.loss_decode
        assert loss.class_weight == study.cfg.model.decode_head.loss_decode.class_weight
        assert cfg.model.data_preprocessor == study.cfg.model.data_preprocessor
        assert cfg.model.test_cfg == study.cfg.model.test_cfg


@pytest.mark.parametrize(
    ('budget', 'kept', 'fits'),
    [('laptop', False, False), ('laptop', True, True), ('medium', False, True)],
)
def test_norms_that_average_over_too_much_of_a_run_are_refused(budget, kept, fits):
    study = load_study('camvid_seg', budget)
    cfg = study.expand(study.networks['resnet18'], 0)
    cfg.model.backbone.update(norm_cfg=dict(type='BN', momentum=0.01), norm_eval=kept)
    if fits:
        check_builds(cfg)
    else:
        with pytest.raises(UserError, match=r'over 100 steps, too many for a run of 300; set mom'):
            check_builds(cfg)


def test_auxiliary_losses_keep_their_share():
    study = load_study('camvid_seg', 'tiny')
    head, _ = whole_model('mmseg:fast_scnn', study.cfg.model)['auxiliary_head']
    assert (head['num_classes'], head['loss_decode']['loss_weight']) == (11, 0.4)
    *_, edges = whole_model('mmseg:stdc', study.cfg.model)['auxiliary_head']
    assert (edges['type'], edges['num_classes']) == ('STDCHead', 2)


def test_unknown_whole_models_are_named():
    study = load_study('camvid_seg', 'tiny')
    with pytest.raises(UserError, match=r"unknown whole model 'mmseg:dabnet'.*mmseg:cgnet"):
        whole_model('mmseg:dabnet', study.cfg.model)


def test_a_network_may_have_its_own_learning_rate():
    study = load_study('camvid_seg', 'tiny')
    study.cfg.param_scheduler.eta_max = 7e-3  # other than the optimizer's, which it replaces
    own = replace(study.networks['resnet18'], lr=5e-4)
    cfg = study.expand(own, 0)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.param_scheduler.eta_max) == (5e-4, 5e-4)
    assert len(config_diff(recipe_of(cfg), recipe_of(study.cfg))) == 2
    # its study knows that one recipe, and who differs in what
    about = study_record(
        replace(study, networks={'mit-b0': study.networks['mit-b0'], own.name: own})
    )
    assert config_diff(about['recipe'], recipe_of(study.expand(study.networks['mit-b0'], 0))) == []
    assert about['networks'][own.name]['lr'] == 5e-4 and 'lr' not in about['networks']['mit-b0']
    set_lr(about['recipe'], 5e-4)
    assert config_diff(about['recipe'], recipe_of(cfg)) == []


def test_networks_and_seeds_that_are_named_twice_run_once():
    study = load_study('camvid_seg', 'tiny')
    runs = plan_runs(study, ['resnet18', 'mit-b0', 'resnet18'], [0, 1, 0])
    assert [run.name for run in runs] == [
        'resnet18_seed0', 'mit-b0_seed0', 'resnet18_seed1', 'mit-b0_seed1'
    ]  # fmt: skip


def test_a_latency_is_that_of_the_fastest_way():
    study = load_study('cifar10_cls', 'laptop')
    costs = measure_costs(study, [study.networks['sa-convmixer']], rounds=2)
    (network,) = costs['networks'].values()
    ways = network['ways_ms']
    installed = {name for name in RUNTIMES if find_spec(name) and find_spec('onnxscript')}
    assert set(ways) == {'PyTorch', 'kernels'} | installed
    assert network['latency_ms'] == min(ways.values())
    assert fastest_way(network) == min(ways, key=ways.get)
    assert fastest_way({'latency_ms': 3.0}) == ''  # as older versions measured it


def test_costs_are_measured_again_where_a_network_or_the_size_has_changed(tmp_path):
    """They stood beside the new network and size until the file was removed."""
    study = load_study('cifar10_cls', 'tiny')
    networks = [study.networks['sa-convmixer']]
    path = keep_costs(study, networks, tmp_path)
    first = path.read_text()
    assert keep_costs(study, networks, tmp_path) == path and path.read_text() == first
    assert '--budget tiny' in json.loads(first)['command']
    smaller = replace(networks[0], backbone='sa-convmixer-d64-l2-k3-p4')
    for now in (replace(study, networks={smaller.name: smaller}), replace(study, size=(16, 16))):
        network = now.networks['sa-convmixer']
        keep_costs(now, [network], tmp_path)
        costs = json.loads(path.read_text())
        expected = count_config(now.expand(network, 0), now.size)
        assert costs['size'] == list(now.size)
        assert costs['networks']['sa-convmixer']['macs'] == expected['macs']


def test_networks_of_other_channels_are_timed():
    study = load_study('cifar10_cls', 'tiny')
    study.cfg.model.backbone.in_channels = 4
    study.cfg.model.data_preprocessor.update(mean=[9.0] * 4, std=[9.0] * 4, to_rgb=False)
    costs = measure_costs(study, [study.networks['sa-convmixer']], rounds=1)
    assert costs['networks']['sa-convmixer']['latency_ms'] > 0


def test_a_network_that_no_way_runs_ends_no_study(capsys):
    # after hours of training, an exporter's or a runtime's error of any kind
    image, model = torch.zeros(1, 3, 8, 8), torch.nn.Linear(2, 2)
    exported = partial(_exported, image, Path('/nowhere'))
    for build in (partial(_plain, image), partial(_by_runtime, 'onnxruntime', exported, image)):
        assert _runs(build, model, 'linear by that') is None
        line = capsys.readouterr().err
        assert line.startswith('note: no latency of linear by that: ') and line.count('\n') == 1
    assert _runs(lambda model: lambda: 3, model, 'linear')() == 3
    assert not capsys.readouterr().err


def test_two_networks_of_one_label_are_refused(tmp_path):
    """Their curves and bars were drawn over each other."""
    config = tmp_path / 'own.py'
    config.write_text(OWN)
    cfg = read_config(config).to_dict()
    networks = cfg['study']['networks']
    networks['another'] = dict(networks['resnet18'])
    label = networks['resnet18']['label']
    (mistake,) = mistakes_in(cfg)
    assert f"2 have the label '{label}'" in mistake


def test_learning_rates_belong_to_a_budget():
    cfg = read_config(find_study('camvid_seg')).to_dict()
    assert mistakes_in(cfg) == []
    cfg['budgets']['tiny']['lr'] = {'resnet18': 1e-3, 'resnet81': 1e-3, 'mit-b0': 1}
    assert mistakes_in(cfg) == [
        "budgets.tiny.lr names 'resnet81', which is no network: did you mean resnet18?",
        'budgets.tiny.lr.mit-b0 is 1, not a number such as 1e-3',
    ]
    cfg['budgets']['tiny']['lr'] = -1e-3
    assert mistakes_in(cfg) == ["budgets.tiny.lr is -0.001, not 1e-3 or {'resnet18': 1e-3}"]
    cfg['budgets']['tiny']['lr'] = 1e-3
    assert mistakes_in(cfg) == []


TRIED = {
    'camvid_seg': ('data_prefix', [('train', 'trainannot'), ('val', 'valannot')]),
    'nyu_depth': ('indices', [700, -95]),  # of 795
    'cifar10_cls': ('split', ['train_without_val', 'val']),
}


@pytest.mark.parametrize('name', TRIED)
def test_learning_rates_are_tried_on_pictures_that_are_neither_trained_on_nor_tests(name):
    field, parts = TRIED[name]
    rates = set()
    for budget in (b for b in read_config(find_study(name)).budgets if b.startswith('lr-')):
        study = load_study(name, budget)
        train = study.cfg.train_dataloader.dataset
        both = [train.get('dataset', train), study.cfg.test_dataloader.dataset]
        held = [d[field] for d in both]
        assert [tuple(h.values()) if field == 'data_prefix' else h for h in held] == parts
        if field == 'indices':
            assert both[0].data_prefix == both[1].data_prefix
        rates.add(study.cfg.optim_wrapper.optimizer.lr)
        assert study.cfg.param_scheduler.eta_max == study.cfg.optim_wrapper.optimizer.lr
        assert len(study.networks) >= 6
    assert len(rates) >= 3


def test_seeds_change_nothing_else():
    study = load_study('stem_camvid', 'tiny')
    one, two = (study.expand(study.networks['conv'], seed).to_dict() for seed in (1, 2))
    assert (one.pop('randomness'), two.pop('randomness')) == ({'seed': 1}, {'seed': 2})
    assert one == two


def test_a_budget_has_its_own_image_size():
    assert load_study('nyu_depth', 'full').size == (240, 320)
    assert load_study('nyu_depth', 'laptop').size == (120, 160)
    assert load_study('camvid_seg', 'laptop').size == load_study('camvid_seg', 'full').size


@pytest.mark.parametrize('glorot', [False, True])
def test_what_the_stems_start_from(glorot):
    """PyTorch's default counts inputs only: the same draw; Glorot's counts outputs too."""
    import torch
    from mmengine.registry import MODELS

    from sacm_mm.swap.dry_run import quiet

    study = load_study('stem_camvid', 'tiny')
    states = []
    for name in ('conv', 'pixel-unshuffle'):
        cfg = model_of(study.expand(study.networks[f'{name}-glorot' if glorot else name], 0))
        torch.manual_seed(0)
        with quiet():
            model = MODELS.build(cfg['backbone'])
            model.init_weights()
        states.append(model.state_dict())
    converted = convert_stem(states[0], 'pixel_unshuffle')
    key = 'stem.proj.weight'
    assert torch.equal(converted[key], states[1][key]) is not glorot
    if glorot:  # sqrt(6 / (75 + 256 * 25)) and sqrt(6 / (75 + 256))
        ratio = states[1][key].abs().max() / converted[key].abs().max()
        assert ratio == pytest.approx(((75 + 6400) / (75 + 256)) ** 0.5, rel=0.01)


def test_mistakes_in_names_are_answered():
    with pytest.raises(UserError, match='did you mean stem_camvid'):
        load_study('stem_camvit')
    with pytest.raises(UserError, match=r"no budget 'huge': it has .*full.*laptop.*tiny"):
        load_study('camvid_seg', 'huge')
    with pytest.raises(UserError, match="no network 'convv'"):
        choose_networks(load_study('stem_camvid', 'tiny'), ['convv'])
    with pytest.raises(UserError, match='is no study'):
        load_study(str(STUDIES[0].parents[1] / 'sacm_voc.py'))
    with pytest.raises(UserError, match='from 0 to 4294967295, not 0, -1'):
        plan_runs(load_study('stem_camvid', 'tiny'), seeds=[0, -1])


def test_studies_are_listed_by_their_budget():
    """The list ended at the first study without it."""
    medium = {path.stem for path in list_studies('medium')}
    assert 'camvid_seg' in medium and 'ade20k_seg' not in medium
    with pytest.raises(UserError, match="no study has a budget 'huge'"):
        list_studies('huge')


def test_a_budget_of_no_network_is_refused(tmp_path):
    """Running it did nothing and ended well."""
    config = tmp_path / 'own.py'
    config.write_text(OWN.replace("label='ResNet-18'", "label='ResNet-18', budgets=[]"))
    with pytest.raises(UserError, match="no network has the budget 'short'"):
        load_study(str(config))


# As short as a study can be: no seed, no scope, one budget of another name than ours.
OWN = """
model = dict(type='mmpretrain.ImageClassifier', backbone=dict(type='mmpretrain.ResNet', depth=18))
train_dataloader = test_dataloader = dict(batch_size=2)
test_evaluator = dict(type='mmpretrain.Accuracy')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
param_scheduler = [dict(type='LinearLR', begin=0, end=10), dict(type='PolyLR', begin=10, end=100)]
budgets = dict(short=dict(steps=20))
study = dict(
    title='t', about='a', metric='accuracy/top1', metric_name='top-1', unit='%',
    higher_is_better=True, size=(32, 32), networks=dict(resnet18=dict(label='ResNet-18')),
)
"""


def test_a_study_of_ones_own(tmp_path):
    config = tmp_path / 'own.py'
    config.write_text(OWN)
    study = load_study(str(config))
    assert (study.budget, study.steps) == ('short', 20)
    cfg = study.expand(study.networks['resnet18'], 3)
    assert cfg.randomness.seed == 3 and cfg.train_cfg.val_interval == 20
    assert [(s.begin, s.end) for s in cfg.param_scheduler] == [(0, 2), (2, 20)]


def test_all_that_is_wrong_with_a_study_is_said_at_once(tmp_path):
    config = tmp_path / 'own.py'
    config.write_text(
        "train_cfg = dict(by_epoch=True, max_epochs=3)\nbudgets = dict(quick=dict(steps='many'))\n"
        "study = dict(titles='t', metric='mIoU', unit='%', size=64,\n"
        "    networks={'ResNet': 'resnet', 'resnet18': dict(budgets=['quik'])})\n"
    )
    with pytest.raises(UserError) as caught:
        load_study(str(config))
    said = str(caught.value)
    for part in (
        'model is missing', 'test_evaluator is missing', 'train_cfg.max_iters is missing',
        'study.title is missing', 'study.titles is no field: did you mean title?',
        'study.about is missing', 'study.metric_name is missing',
        'study.higher_is_better is missing', 'study.size is 64, not (height, width)',
        "budgets.quick.steps is 'many'", "'ResNet' is no name", "networks.ResNet is 'resnet'",
        'networks.resnet18.label is missing',
        "names 'quik', which is no budget: did you mean quick?",
    ):  # fmt: skip
        assert part in said
    config.write_text(OWN.replace('budgets = dict(short=dict(steps=20))', 'budgets = dict()'))
    with pytest.raises(UserError, match=r'budgets = dict\(laptop=.* is missing'):
        load_study(str(config))
