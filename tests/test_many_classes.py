"""More classes than 8 bits hold: nothing wraps, from the network to its pictures and files."""

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from conftest import LOADERS
from mmengine.registry import MODELS, init_default_scope

import sacm_mm
from sacm_mm.apis.outputs import Wanted
from sacm_mm.apis.predict import predict_files
from sacm_mm.core.configs import load_config, write_config
from sacm_mm.deploy import export

NUMBER, ANSWER = 300, 290
OPTIONS = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    f'model.decode_head.num_classes={NUMBER}',
    'model.decode_head.loss_decode.class_weight=None',
]


@pytest.fixture
def trained(tmp_path):
    cfg = load_config('sacm_camvid_light.py', [*OPTIONS, *LOADERS])
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    model.decode_head.conv_seg.bias.data.unflatten(0, (NUMBER, -1))[ANSWER] += 100
    folder = tmp_path / 'trained'
    folder.mkdir()
    write_config(cfg, folder / 'config.py')
    meta = dict(
        classes=[f'class {i}' for i in range(NUMBER)],
        palette=[[i // 256, i % 256, 7] for i in range(NUMBER)],
    )
    checkpoint = {'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}
    torch.save(checkpoint, folder / 'weights.pth')
    return model, folder


def test_exported_classes(trained, tmp_path):
    export(trained[0], tmp_path / 'model.onnx', end_to_end=True)
    session = onnxruntime.InferenceSession(tmp_path / 'model.onnx')
    (classes,) = session.run(['classes'], {'image': np.zeros((1, 40, 60, 3), np.uint8)})
    assert set(classes.flat) == {ANSWER}


def test_predicted_masks_and_overlays(trained, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((40, 60, 3), np.uint8))
    out = tmp_path / 'out'
    model = sacm_mm.load(trained[1], device='cpu')
    wanted = Wanted(('masks', 'overlay', 'colour'), legend=True)
    predict_files(model, tmp_path / 'a.png', out, wanted)
    assert set(cv2.imread(str(out / 'masks/a.png'), cv2.IMREAD_UNCHANGED).flat) == {ANSWER}
    painted = cv2.imread(str(out / 'colour/a.png'))[..., ::-1]
    assert painted.reshape(-1, 3).max(0).tolist() == [ANSWER // 256, ANSWER % 256, 7]
