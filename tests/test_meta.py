"""One answer to what a model's classes are called, whoever asks."""

from mmengine.config import Config

from sacm_mm.core.configs import load_config
from sacm_mm.datasets.meta import model_meta

TWO = dict(classes=('road', 'car'), palette=[[1, 1, 1], [2, 2, 2]])


def config(count=2, **dataset) -> Config:
    return Config(
        dict(
            default_scope='mmseg',
            model=dict(decode_head=dict(num_classes=count)),
            test_dataloader=dict(dataset=dict(type='sacm_mm.CamVidDataset', **dataset)),
        )
    )


def test_the_first_that_fits_is_asked():
    checkpoint, file = dict(classes=['a', 'b']), dict(classes=['c', 'd'])
    cfg = config(metainfo=dict(classes=('e', 'f')))
    assert model_meta(cfg, checkpoint, file)['classes'] == ('a', 'b')
    assert model_meta(cfg, None, file)['classes'] == ('c', 'd')
    assert model_meta(cfg)['classes'] == ('e', 'f')
    assert model_meta(config(11))['classes'][:2] == ('sky', 'building')
    # eleven names are not those of two classes
    assert model_meta(config(), {'classes': None})['classes'] == ('class 0', 'class 1')


def test_colours_follow_the_names():
    assert model_meta(config(), TWO)['palette'] == TWO['palette']
    meta = model_meta(config(), dict(classes=['car', 'tram']))
    assert meta['palette'][0] == [64, 0, 128]  # CamVid's car
    assert meta['palette'][1] not in model_meta(config(11))['palette']
    many = model_meta(config(60))
    assert len({tuple(colour) for colour in many['palette']}) == 60
    assert many == model_meta(config(60))


def test_every_form_of_config_is_read(tmp_path):
    inner = dict(type='sacm_mm.CamVidDataset', metainfo=TWO)
    for wrapped in (
        dict(type='RepeatDataset', times=2, dataset=inner),
        dict(type='ConcatDataset', datasets=[inner, inner]),
    ):
        cfg = config()
        cfg.test_dataloader.dataset = wrapped
        assert model_meta(cfg) == TWO
    cfg = config()
    cfg.model.decode_head = [dict(num_classes=7), dict(num_classes=2)]  # a cascade
    assert model_meta(cfg, {'CLASSES': ['a', 'b'], 'PALETTE': [[0, 0, 0]] * 2})['classes'][1] == 'b'
    names = tmp_path / 'names.txt'
    names.write_text('cat\ndog\n')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(head=dict(num_classes=2)),
            test_dataloader=dict(dataset=dict(type='CustomDataset', classes=str(names))),
        )
    )
    assert model_meta(cfg)['classes'] == ('cat', 'dog')


def test_a_depth_head_does_not_decide_how_many():
    cfg = load_config('sacm_nyu_light.py', [])
    assert len(model_meta(cfg)['classes']) == 39  # of the data set
    assert model_meta(Config(dict(model=dict(type='x')))) == {}
