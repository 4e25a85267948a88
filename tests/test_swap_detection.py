"""Detectors as hosts of a swapped backbone; most need mmdetection and mmcv's compiled operators."""

import importlib.util
from importlib import import_module

import pytest
from mmengine.config import Config

import sacm_mm
from sacm_mm.core.configs import load_config
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
