"""The hosts' own inference APIs run the project's configs, by path, from any folder."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import save_checkpoint
from mmpretrain import ImageClassificationInferencer, get_model
from mmseg.apis import MMSegInferencer, inference_model, init_model

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


@pytest.fixture
def checkpoint(request, tmp_path, monkeypatch):
    """Fresh weights of a config, saved as the runner saves them; the current folder is empty."""
    cfg = Config.fromfile(request.getfixturevalue('config'))
    init_default_scope(cfg.default_scope)
    path = tmp_path / 'weights.pth'
    save_checkpoint({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': {}}, str(path))
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path / 'empty')
    return str(path)


def photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize('config', [CONFIGS / 'sacm_camvid_light.py'], ids=lambda c: c.stem)
def test_segmentation(config, checkpoint, camvid_root):
    model = init_model(str(config), checkpoint, device='cpu')
    path = str(min((camvid_root / 'camvid/test').iterdir()))
    assert inference_model(model, path).pred_sem_seg.shape == (48, 64)
    assert inference_model(model, photo(37, 51)).pred_sem_seg.shape == (37, 51)

    names = {'classes': [str(i) for i in range(11)], 'palette': [[i, i, i] for i in range(11)]}
    inferencer = MMSegInferencer(str(config), checkpoint, device='cpu', **names)
    assert inferencer(photo(37, 51))['predictions'].shape == (37, 51)


DEPTH = [CONFIGS / f'sacm_{name}.py' for name in ('nyu_light', 'nyu_joint_light', 'kitti')]


@pytest.mark.parametrize('config', DEPTH, ids=lambda c: c.stem)
def test_depth(config, checkpoint, tmp_path):
    joint = 'joint' in config.stem
    path = str(tmp_path / 'photo.png')
    assert cv2.imwrite(path, photo(37, 51))
    model = init_model(str(config), checkpoint, device='cpu')
    for image in (path, photo(37, 51)):
        sample = inference_model(model, image)
        assert sample.pred_depth_map.shape == (37, 51)
        assert 0 < sample.pred_depth_map.data.min() <= sample.pred_depth_map.data.max() <= 80
        assert ('pred_sem_seg' in sample) == joint

    names = {'classes': [str(i) for i in range(39)], 'palette': [[i, i, i] for i in range(39)]}
    inferencer = MMSegInferencer(str(config), checkpoint, device='cpu', **names)
    assert inferencer.visualizer.style.max_depth == (80 if 'kitti' in config.stem else 10)
    inferencer(path, out_dir=str(tmp_path / 'out'), img_out_dir='vis', pred_out_dir='')
    drawn = cv2.imread(str(tmp_path / 'out/vis/photo.png'))
    assert drawn.shape[1] == pytest.approx((3 if joint else 2) * 510 + 10, abs=2)


@pytest.mark.parametrize('config', [CONFIGS / 'sacm_cifar10.py'], ids=lambda c: c.stem)
def test_classification(config, checkpoint, tmp_path):
    inferencer = ImageClassificationInferencer(str(config), checkpoint, device='cpu')
    path = str(tmp_path / 'photo.png')
    assert cv2.imwrite(path, photo(37, 51))
    for image in (path, photo(37, 51)):
        (result,) = inferencer(image)
        assert result['pred_scores'].shape == (10,)
        assert result['pred_scores'].sum() == pytest.approx(1)
    model = get_model(str(config), pretrained=checkpoint, device='cpu')
    assert model.backbone.out_channels == (256,)
