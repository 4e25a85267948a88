"""One normal form of configs, whatever they are written in."""

import pytest
from mmengine.config import Config

from sacm_mm import UserError
from sacm_mm.core.configs import kind_of, read_config
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer

PURE_PYTHON = """
from mmcv.transforms import LoadImageFromFile
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from mmseg.models import CrossEntropyLoss, EncoderDecoder
from torch.optim import SGD

from sacm_mm.models.backbones.sa_convmixer import SAConvMixer

model = dict(type=EncoderDecoder, backbone=dict(type=SAConvMixer, arch='d16-l2-k3-p4'),
             losses=[dict(type=CrossEntropyLoss)])
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.1))
train_cfg = dict(type=IterBasedTrainLoop, max_iters=3)
pipeline = [dict(type=LoadImageFromFile)]
"""


def test_imported_types_become_the_names_of_the_registries(tmp_path):
    path = tmp_path / 'pure.py'
    path.write_text(PURE_PYTHON)
    cfg = read_config(path)
    assert cfg.model.type == 'mmseg.EncoderDecoder'
    assert cfg.model.backbone.type == 'sacm_mm.SAConvMixer'
    assert cfg.model.losses[0].type == 'mmseg.CrossEntropyLoss'
    assert cfg.optim_wrapper.type == 'OptimWrapper' and cfg.optim_wrapper.optimizer.type == 'SGD'
    assert cfg.train_cfg.type == 'IterBasedTrainLoop'
    assert cfg.pipeline[0].type == 'LoadImageFromFile'
    assert cfg.filename == str(path)


@pytest.mark.parametrize('kind', [SAConvMixer, 'sacm_mm.SAConvMixer', 'SAConvMixer'])
def test_a_kind_has_one_name_as_a_class_and_as_a_text(kind):
    assert kind_of(dict(type=kind)) == 'SAConvMixer'


def test_the_copy_that_a_host_wrote_reads_as_what_it_trained(tmp_path):
    """With the paths of the classes as names, and without the scope that those do not need."""
    path = tmp_path / 'pure.py'
    path.write_text(f'default_scope = None\n{PURE_PYTHON}')
    Config.fromfile(path).dump(tmp_path / 'copy.py')
    assert 'mmseg.models.EncoderDecoder' in (tmp_path / 'copy.py').read_text()
    cfg = read_config(tmp_path / 'copy.py')
    assert cfg.to_dict() == read_config(path).to_dict()
    assert cfg.default_scope == 'mmseg'
    assert cfg.model.backbone.type == 'sacm_mm.SAConvMixer'


def test_a_module_that_is_absent_is_named(tmp_path):
    path = tmp_path / 'absent.py'
    path.write_text("custom_imports = dict(imports=['no_such_module'])")
    with pytest.raises(UserError, match='no_such_module'):
        read_config(path)
