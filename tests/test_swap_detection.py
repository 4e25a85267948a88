"""Detectors as hosts of a swapped backbone; most need mmdetection and mmcv's compiled operators."""

import importlib.util
import json
from importlib import import_module

import pytest
from coco_sample import write_coco
from mmengine.config import Config

import sacm_mm
from sacm_mm.core.configs import config_folder, load_config
from sacm_mm.swap import check_config
from sacm_mm.swap.needs import needs_of

OURS = 'sa-convmixer-d16-l2-k3-p8'
DETECTORS = [
    'retinanet/retinanet_r18_fpn_1x_coco.py',
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'detr/detr_r50_8xb2-150e_coco.py',
]

CONFIGS = sorted(path.name for path in config_folder().glob('*_coco.py'))
# a head of 25 million parameters, on few boxes
MASK_RCNN = [
    'optim_wrapper.optimizer.lr=2e-4',
    'model.train_cfg.rpn_proposal.max_per_img=64',
    'model.train_cfg.rcnn.sampler.num=16',
]


def has_detection():
    try:
        import_module('mmdet.models')
    except (ImportError, AssertionError):
        return False
    return True


def test_without_mmdetection_its_configs_say_what_to_install(run_tool):
    if importlib.util.find_spec('mmdet'):
        pytest.skip('mmdetection is installed')
    name = f'mmdet:{DETECTORS[0]}'
    done = run_tool('swap_backbone', name, '--backbone', OURS, '--check')
    assert 'pip install onedl-mmdetection' in done.error


def test_levels_before_a_necks_first_are_not_read():
    cfg = Config(
        dict(
            default_scope='mmseg',
            model=dict(
                type='EncoderDecoder',
                backbone=dict(type='ResNet', depth=18, base_channels=8),
                neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, num_outs=3,
                          start_level=1),
                decode_head=dict(type='FCNHead', in_channels=8, in_index=0, channels=8,
                                 num_classes=5),
                test_cfg=dict(mode='whole'),
            ),
        )
    )  # fmt: skip
    needs = needs_of(cfg.model, 'mmseg', (64, 64))
    assert (needs.read, needs.main) == ((1, 2, 3), 3)
    new = sacm_mm.swap_backbone(cfg, OURS)
    assert new.model.neck[0].out_channels == [None, 16, 32, 64]
    assert check_config(new, sizes=[64]).works


def test_a_config_of_ours_for_detection_says_what_to_install(run_tool):
    if importlib.util.find_spec('mmdet'):
        pytest.skip('mmdetection is installed')
    done = run_tool('train', 'sacm_retinanet_coco.py')
    assert (done.code, done.error.count('\n')) == (2, 0)
    assert 'onedl-mmdetection' in done.error


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_configs_of_ours_learn_to_detect(name, run_tool, tmp_path, monkeypatch):
    if not has_detection():
        pytest.skip("needs onedl-mmdetection and mmcv's operators")
    batch = 2 if 'mask_rcnn' in name else 4
    write_coco(tmp_path, train=16 * batch, val=12, size=(64, 128))
    monkeypatch.setenv('SACM_DATA', str(tmp_path))
    scale = 'scale=(128,64)'
    options = [
        f'train_dataloader.dataset.pipeline.2.{scale}',
        f'val_dataloader.dataset.pipeline.1.{scale}',
        f'test_dataloader.dataset.pipeline.1.{scale}',
        f'train_dataloader.batch_size={batch}', 'optim_wrapper.optimizer.lr=5e-4',
        'optim_wrapper.clip_grad.max_norm=1.0', 'randomness.seed=0',
        'train_cfg.max_epochs=24', 'train_cfg.val_interval=24', 'param_scheduler.0.end=16',
        'param_scheduler.1.end=24', 'param_scheduler.1.milestones=[18,22]',
        'default_hooks.checkpoint.interval=24',
    ]  # fmt: skip
    options += MASK_RCNN if 'mask_rcnn' in name else []
    work = tmp_path / 'work'
    done = run_tool('train', name, '--work-dir', work, '--fast', '--cfg-options', *options)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in next(work.glob('*/vis_data/scalars.json')).open()]
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert losses[-1] < 0.7 * losses[0]
    assert rows[-1]['coco/bbox_mAP'] > 0.3


@pytest.mark.slow
@pytest.mark.parametrize('name', DETECTORS)
@pytest.mark.parametrize('backbone', [OURS, 'convmlp-s'])
def test_detectors_train_and_predict_with_another_backbone(name, backbone):
    if not has_detection():
        pytest.skip("needs onedl-mmdetection and mmcv's operators")
    cfg = load_config(f'mmdet:{name}')
    new = sacm_mm.swap_backbone(cfg, backbone)
    verdict = check_config(new, sizes=[128])
    assert verdict.works, verdict
    assert sacm_mm.swap_backbone(new, cfg.model.backbone).to_dict() == cfg.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'tood/tood_r50_fpn_1x_coco.py',  # reads the epoch
        'boxinst/boxinst_r50_fpn_ms-90k_coco.py',  # its preprocessor makes masks
        'centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py',  # reads the border
        'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py',  # makes its proposals
        'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',  # takes no masks
        'ddod/ddod_r50_fpn_1x_coco.py',  # takes no small images
    ],
)
def test_the_check_gives_a_detector_what_training_gives(name):
    if not has_detection():
        pytest.skip("needs onedl-mmdetection and mmcv's operators")
    verdict = check_config(load_config(f'mmdet:{name}'))
    assert verdict.works, verdict
