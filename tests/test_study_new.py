"""`sacm study new` writes a study that loads, runs on steps and compares what was named."""

import pytest

from sacm_mm import UserError
from sacm_mm.studies.new import new_study
from sacm_mm.studies.study import load_study

OURS = 'sa-convmixer-d16-l2-k3-p4'


@pytest.mark.parametrize(
    ('config', 'metric', 'steps'),
    [('sacm_camvid_light', 'mIoU', 300), ('sacm_cifar10', 'accuracy/top1', 300)],
)
def test_a_new_study(tmp_path, config, metric, steps):
    path = new_study(config, [OURS, 'convmlp-s'], tmp_path / 'mine.py')
    study = load_study(str(path))
    assert (study.budget, study.metric, study.steps) == ('laptop', metric, steps)
    assert [network.backbone for network in study.networks.values()] == [OURS, 'convmlp-s']
    assert study.command == f'sacm study run {path} --budget laptop'
    cfg = study.expand(study.networks[OURS], 1)
    assert cfg.model.backbone.arch == 'd16-l2-k3-p4' and cfg.val_dataloader is None
    assert cfg.param_scheduler[0].total_steps == steps and 'max_epochs' not in cfg.train_cfg
    with pytest.raises(UserError, match='choose another name with --out'):
        new_study(config, [OURS], path)


def test_all_networks_of_a_new_study_have_adamw(tmp_path):
    path = new_study('sacm_camvid_nano', [OURS, 'convmlp-s'], tmp_path / 'mine.py')
    study = load_study(str(path))
    for network in study.networks.values():
        cfg = study.expand(network, 0)
        optimizer = cfg.optim_wrapper.optimizer
        assert optimizer.type == 'AdamW' and optimizer.lr == cfg.param_scheduler[0].eta_max == 1e-3


def test_a_new_study_of_depth_draws_it_in_the_range_of_its_config(tmp_path):
    study = load_study(str(new_study('sacm_kitti', [OURS], tmp_path / 'mine.py')))
    visualizer = study.expand(study.networks[OURS], 0).visualizer
    assert visualizer.max_depth == 80 and len(visualizer.vis_backends) == 1


def test_nothing_is_left_of_a_study_that_does_not_build(tmp_path):
    with pytest.raises(UserError, match='did you mean'):
        new_study('sacm_camvid_light', ['mmpretrain:resnet/19'], tmp_path / 'mine.py')
    with pytest.raises(UserError, match="two backbones would be called 'convmlp-s'"):
        new_study('sacm_camvid_light', ['convmlp-s', 'convmlp-s'], tmp_path / 'mine.py')
    assert not any(tmp_path.iterdir())
