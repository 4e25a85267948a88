"""What a network says of a picture is known by one function, for every kind of model."""

import json

import cv2
import numpy as np
import pytest
import torch
from conftest import TINY_CIFAR, read_depth
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.models import BaseClassifier, TimmClassifier

import sacm_mm
from sacm_mm import UserError
from sacm_mm.apis.outputs import Wanted
from sacm_mm.apis.predict import predict_files
from sacm_mm.apis.predictor import Model
from sacm_mm.apis.test import test as run_test
from sacm_mm.core.configs import load_config
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.samples import data_samples, decode
from sacm_mm.studies.samples import _draw, _Samples

SEVERAL = dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=16, thr=0.5)


def classifier(head, **model):
    """A tiny classifier of another head, with the config that reads its pictures."""
    cfg = load_config('sacm_cifar10_light.py', TINY_CIFAR).to_dict()
    cfg['model'] = {**cfg['model'], 'head': head, **model}
    cfg = Config(cfg)
    init_default_scope('mmpretrain')
    return cfg, MODELS.build(cfg.model).eval()


@pytest.fixture
def several():
    """A network that says the first and the third of three classes, of any picture."""
    cfg, network = classifier(SEVERAL)
    torch.nn.init.zeros_(network.head.fc.weight)
    network.head.fc.bias.data = torch.tensor([2.0, -2.0, 1.0])
    return cfg, network


def several_set(cfg, network, folder):
    """Let a config test on two pictures of several classes; write the network's weights."""
    truth = {'a.png': [0, 2], 'b.png': [1]}
    data = [dict(img_path=photo(folder, n).name, gt_label=label) for n, label in truth.items()]
    labels = dict(metainfo=dict(classes=['a', 'b', 'c']), data_list=data)
    (folder / 'labels.json').write_text(json.dumps(labels))
    cfg.test_dataloader.dataset = dict(
        type='MultiLabelDataset', data_root=str(folder), ann_file='labels.json',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    )  # fmt: skip
    cfg.test_evaluator = dict(type='MultiLabelMetric', thr=0.5)
    torch.save({'state_dict': network.state_dict()}, folder / 'weights.pth')


class Whole(TimmClassifier):
    """What the host makes of a network of timm, which need not be installed."""

    def __init__(self, data_preprocessor, train_cfg=None):
        preprocessor = dict(data_preprocessor, type='mmpretrain.ClsDataPreprocessor')
        BaseClassifier.__init__(self, data_preprocessor=preprocessor)
        pool = torch.nn.AdaptiveAvgPool2d(1)
        conv, last = torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(8, 10)
        self.model = torch.nn.Sequential(conv, pool, torch.nn.Flatten(), last)


def photo(folder, name='a.png', colour=(0, 0, 200)):
    folder.mkdir(exist_ok=True)
    assert cv2.imwrite(str(folder / name), np.full((32, 32, 3), colour, np.uint8))
    return folder / name


def test_several_classes_of_a_picture_are_all_said(several, tmp_path):
    """The one with the largest score stood for all, also where there is none."""
    cfg, network = several
    model = Model(network, cfg, dict(classes=['sun', 'rain', 'wind']))
    picture = photo(tmp_path)
    found = model.predict(str(picture))
    assert (found.task, found.labels, found.label) == ('multilabel', ['sun', 'wind'], 'sun')
    predict_files(model, picture, tmp_path / 'out', Wanted(('overlay', 'json', 'csv')))
    (row,) = json.loads((tmp_path / 'out/predictions.json').read_text())['pictures']
    assert row['labels'] == ['sun', 'wind']
    assert '"sun, wind"' in (tmp_path / 'out/predictions.csv').read_text()
    with pytest.raises(UserError, match='a model for multilabel gives no masks'):
        predict_files(model, picture, tmp_path / 'more', Wanted(('masks',)))
    network.head.fc.bias.data -= 9
    assert model.predict(str(picture)).labels == []


def test_a_report_of_several_classes_a_picture_is_refused_before_the_test(several, tmp_path):
    cfg, network = several
    several_set(cfg, network, tmp_path)
    with pytest.raises(UserError, match=r'^--report is of one class a picture, not of multilabel'):
        run_test(cfg, tmp_path / 'weights.pth', work_dir=tmp_path / 'w', report=tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_samples_of_several_classes_are_kept_and_shown(several, tmp_path):
    """A study of such pictures ended in the host's error after the test of its first run."""
    cfg, network = several
    several_set(cfg, network, tmp_path)
    cfg.custom_hooks = [dict(type='sacm_mm.KeepSamplesHook', num_images=2)]
    run_test(cfg, tmp_path / 'weights.pth', work_dir=tmp_path / 'w')
    about = json.loads((tmp_path / 'w/samples/samples.json').read_text())
    assert [(s['gt'], s['pred']) for s in about['samples']] == [([0, 2], [0, 2]), (1, [0, 2])]
    kept = _Samples('ours', tmp_path / 'w/samples', about)
    texts = [text.get_text() for axes in _draw([kept]).axes[2:] for text in axes.texts]
    assert texts == ['truth', 'a, c', 'b', 'ours', '✓ a, c', '✗ a, c']


def test_numbers_are_not_called_classes(tmp_path):
    """A class was named whose score was the number; end to end it was the softmax of one: 1."""
    cfg, network = classifier(dict(type='LinearRegressionHead', num_classes=1, in_channels=16))
    assert describe(network, cfg)['task'] == 'regression'
    with pytest.raises(UserError, match=r"regression says numbers.* 'sacm test --out' writes"):
        Model(network, cfg, {})
    with pytest.raises(UserError, match='one class of a picture, this network says numbers'):
        export(network, tmp_path / 'm.onnx', end_to_end=True)


def test_answers_of_several_heads_are_refused_in_a_line():
    tasks = {name: dict(type='LinearClsHead', num_classes=2) for name in 'ab'}
    cfg, network = classifier(dict(type='MultiTaskHead', task_heads=tasks, in_channels=16))
    with pytest.raises(UserError, match=r'^a MultiTaskHead has several answers'):
        Model(network, cfg, {})


def test_depth_by_a_stock_head_is_depth(tmp_path):
    """The head's bounds told the task: without them depth was called segmentation."""
    cfg = load_config('sacm_nyu_light.py')
    cfg.model.backbone.arch = 'd16-l1-k3-p4'
    cfg.model.decode_head = dict(
        type='FCNHead', in_channels=16, channels=8, num_classes=1, num_convs=1, threshold=0.0,
        out_channels=1, in_index=0,
    )  # fmt: skip
    init_default_scope('mmseg')
    model = Model(MODELS.build(cfg.model).eval(), cfg, {})
    assert (model.task, describe(model.network)['task']) == ('depth', 'depth')
    predict_files(model, photo(tmp_path), tmp_path / 'out', Wanted(('depth16',)))
    assert read_depth(tmp_path / 'out/a.png').shape == (32, 32)


def test_a_classifier_without_a_backbone_of_its_own_is_one(tmp_path):
    cfg, _ = classifier(dict(type='LinearClsHead', num_classes=10, in_channels=16))
    cfg.model = dict(type=Whole, data_preprocessor=cfg.model.data_preprocessor)
    network = MODELS.build(cfg.model)
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'weights.pth')
    model = sacm_mm.load(cfg, tmp_path / 'weights.pth', device='cpu')
    assert model.task == 'classification'
    assert model.predict(np.zeros((32, 32, 3), np.uint8)).scores.shape == (10,)


def test_networks_of_the_hosts_cifar_see_red_as_red(tmp_path, monkeypatch):
    """Their pictures are RGB when they come; those of a file came as BGR."""
    cfg, network = classifier(
        dict(type='LinearClsHead', num_classes=10, in_channels=16),
        data_preprocessor=dict(type='ClsDataPreprocessor', mean=[0], std=[1], to_rgb=False),
    )
    cfg.test_dataloader.dataset = dict(
        type='CIFAR10', data_root=str(tmp_path), pipeline=[dict(type='PackInputs')]
    )
    model = Model(network, cfg, {})
    picture = photo(tmp_path / 'photos')
    for given in (str(picture), cv2.imread(str(picture))):
        inputs = model.prepare(given).sample['inputs']
        assert inputs[:, 0, 0].tolist() == [200, 0, 0]
        assert model.predict(given).image[0, 0].tolist() == [0, 0, 200]
    assert describe(network, cfg)['colours'] == 'RGB'

    held = dict(img=np.full((32, 32, 3), (200, 0, 0), np.uint8), gt_label=0)
    monkeypatch.setattr('mmpretrain.datasets.CIFAR10.load_data_list', lambda self: [dict(held)])
    (sample,) = data_samples(cfg)
    assert decode(sample)[0, 0].tolist() == [0, 0, 200]


def test_a_legend_is_refused_where_there_is_none():
    with pytest.raises(UserError, match=r'^--legend is of segmentation, this is depth: leave it'):
        Wanted(legend=True).check('depth')
    Wanted(legend=True).check('segmentation')


def test_a_classifier_is_known_by_its_model_whatever_the_scope(several, tmp_path):
    """Its predictions went into masks, and a grid was drawn of them, after the test."""
    cfg, network = several
    cfg.default_scope = 'mmseg'
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'weights.pth')
    with pytest.raises(UserError, match=r'^--grid draws segmentation'):
        run_test(cfg, tmp_path / 'weights.pth', work_dir=tmp_path / 'w', grid=tmp_path / 'a.png')
