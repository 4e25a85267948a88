"""Every config is built, stepped once and predicts once, on samples of its real layout."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner

CONFIGS = sorted(
    path
    for path in (Path(__file__).resolve().parents[1] / 'configs').glob('*.py')
    if not path.stem.endswith('_coco')  # mmdetection's, see test_swap_detection.py
)
# Larger sizes of what the quick suite runs in a smaller one.
LARGER = (
    'convmlp_m_ade20k', 'convmlp_l_ade20k', 'convmlp_m_imagenet', 'convmlp_l_imagenet',
    'csmixer_s_imagenet', 'csmixer_b_imagenet', 'csmixer_l_imagenet', 'sacm_imagenet_d1536',
    'sacm_imagenet_ema', 'csmixer_t_cityscapes', 'csmixer_t_ade20k', 'sacm_voc_aug', 'sacm_ade20k',
    'convmlp_s_ade20k', 'sacm_cityscapes_512x1024', 'csmixer_nyu', 'csmixer_camvid_light',
    'convmlp_nyu', 'sacm_camvid_gpu', 'sacm_camvid_gpu_all', 'sacm_camvid_gpu_more',
    'sacm_nyu_gpu_more', 'sacm_camvid_half', 'sacm_camvid_whole', 'sacm_cifar10_gpu',
    'sacm_cifar10_k5', 'sacm_cifar10_small_more', 'sacm_cityscapes_disparity', 'sacm_nyu_joint',
    'sacm_nyu_small',
)  # fmt: skip


def to_run(paths):
    return [
        pytest.param(path, marks=pytest.mark.slow if path.stem in LARGER else (), id=path.stem)
        for path in paths
    ]


def test_there_are_configs():
    assert {path.stem for path in CONFIGS} > set(LARGER)


@pytest.fixture
def data_root(request):
    """The sample that a config reads, by the words of its name."""
    for word, fixture in (
        ('voc', 'voc_root'),
        ('camvid', 'camvid_root'),
        ('ade20k', 'ade_root'),
        ('cifar', 'cifar_root'),
        ('imagenet', 'imagenet_root'),
        ('nyu', 'depth_root'),
        ('kitti', 'depth_root'),
        ('cityscapes', 'depth_root'),
    ):
        if word in request.getfixturevalue('path').stem:
            return request.getfixturevalue(fixture)
    raise LookupError('a config without sample data: write its layout in tools/sample_data')


def shrink(steps):
    """Make the images of a pipeline a quarter as wide: large ones show nothing more, but slowly."""
    for step in steps:
        for key in {'scale', 'crop_size', 'size'} & set(step):
            sides = step[key]
            step[key] = sides // 4 if isinstance(sides, int) else tuple(side // 4 for side in sides)
        for branch in step.get('transforms', ()):
            shrink(branch)


@pytest.fixture
def cfg(path, data_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(data_root))
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        if loader is None:  # trained on all that there is
            continue
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        shrink(loader.dataset.get('pipeline', ()))
    shrink(cfg.get('tta_pipeline', ()))
    cfg.train_dataloader.batch_size = 2  # the least that a batch norm takes behind a pooling to 1x1
    return cfg


@pytest.mark.parametrize('path', to_run(CONFIGS))
def test_builds_steps_and_predicts(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    logs = model.train().train_step(
        next(iter(Runner.build_dataloader(cfg.train_dataloader))), optim_wrapper
    )
    assert logs['loss'].isfinite()
    assert all(p.isfinite().all() for p in model.parameters())

    loader = Runner.build_dataloader(cfg.test_dataloader)
    with torch.no_grad():
        samples = model.eval().test_step(next(iter(loader)))
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    evaluator.process(samples, {})
    assert evaluator.evaluate(len(samples))


DENSE = [path for path in CONFIGS if Config.fromfile(path).default_scope == 'mmseg']


@pytest.mark.parametrize('path', to_run(DENSE))
def test_test_time_augmentation_predicts_at_the_original_size(cfg):
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    model = MODELS.build(dict(**cfg.tta_model, module=cfg.model)).eval()
    with torch.no_grad():
        (sample,) = model.test_step(next(iter(Runner.build_dataloader(cfg.test_dataloader))))
    tasks = [task for task in ('sem_seg', 'depth_map') if f'pred_{task}' in sample]
    assert tasks
    for task in tasks:
        assert sample.get(f'pred_{task}').shape == sample.get(f'gt_{task}').shape


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_leaf_configs_are_short(path):
    assert len(path.read_text().splitlines()) <= 30


def test_void_and_classes_of_camvid(camvid_root):
    init_default_scope('mmseg')
    dataset = DATASETS.build(
        dict(
            type='sacm_mm.CamVidDataset',
            data_root=str(camvid_root / 'camvid'),
            data_prefix=dict(img_path='train', seg_map_path='trainannot'),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')],
        )
    )
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == 11
    labels = {int(v) for sample in dataset for v in set(sample['gt_seg_map'].flat)}
    assert 255 in labels and labels <= {*range(11), 255}
