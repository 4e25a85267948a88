"""Other people's networks in stock configs, trained by the hosts' own tools from another folder."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from coco_sample import write_coco
from test_swap_detection import has_detection

TESTS = Path(__file__).resolve().parent
NETWORKS = TESTS / 'foreign_networks'
SWAP = TESTS.parent / 'tools/swap_backbone.py'
BACKBONES = {
    'stages': 'stages.py:FourStages(dim=8)',
    'mapping': 'mapping.py:DictNet(8)',
    'one_map': 'one_map.py:OneMap',
    'class_token': 'class_token.py:ClassTokens',
    'token_stages': 'token_stages.py:token_stages_tiny',
    'channels_last': 'channels_last.py:WindowNet',
    'beside': 'beside/backbone.py',
    'classifier': 'package/classifier.py:Classifier@stages.0,stages.1,stages.2,stages.3',
}
TINY = [
    *(f'{split}_dataloader.{key}' for split in ('train', 'val', 'test')
      for key in ('num_workers=0', 'persistent_workers=False')),
    'train_dataloader.batch_size=2',
    'default_hooks.logger.interval=1',
]  # fmt: skip
SEGMENT = [
    *TINY,
    'train_dataloader.dataset.pipeline.2.scale=(128,64)',
    'train_dataloader.dataset.pipeline.2.ratio_range=(1.0,1.0)',
    'train_dataloader.dataset.pipeline.3.crop_size=(64,64)',
    'model.data_preprocessor.size=(64,64)',
    'val_dataloader.dataset.pipeline.1.scale=(128,64)',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=1000',
    'default_hooks.checkpoint.interval=1000',
]
NARROW = [*SEGMENT, 'model.decode_head.channels=32', 'model.auxiliary_head.channels=32']
CONFIGS = {
    'fcn': ('mmseg:fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py', NARROW),
    'pspnet': ('mmseg:pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py', NARROW),
    'upernet': ('mmseg:upernet/upernet_r18_4xb4-80k_ade20k-512x512.py', NARROW),
    'segmenter': ('mmseg:segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py', SEGMENT),
    'classifier': (
        'mmpretrain:resnet/resnet18_8xb32_in1k.py',
        [*TINY, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1000',
         'train_dataloader.dataset.pipeline.1.scale=64', 'default_hooks.checkpoint.interval=1000'],
    ),
}  # fmt: skip
DETECT = [
    *TINY,
    'train_dataloader.dataset.pipeline.2.scale=(96,64)',
    'val_dataloader.dataset.pipeline.1.scale=(96,64)',
    'train_cfg.max_epochs=1',
    'default_hooks.checkpoint.interval=1000',
]
if has_detection():
    CONFIGS['retinanet'] = ('mmdet:retinanet/retinanet_r18_fpn_1x_coco.py', DETECT)
QUICK = [('beside', 'upernet'), ('classifier', 'classifier')]


def stock(host):
    return str(Path(find_spec(host).submodule_search_locations[0]) / '.mim/tools/train.py')


def run_pairs(pairs, folder, ade_root, imagenet_root):
    """Swap and train each pair in a folder of its own; return logs and exit codes."""
    jobs = []
    for backbone, config in pairs:
        name, options = CONFIGS[config]
        cwd = folder / f'{backbone}-{config}'
        (cwd / 'data').mkdir(parents=True)
        (cwd / 'data/ade').symlink_to(ade_root / 'ade')
        (cwd / 'data/imagenet').symlink_to(imagenet_root / 'imagenet')
        if config == 'retinanet':
            write_coco(cwd / 'data')
        common = dict(cwd=str(cwd), log=str(cwd / 'log'))
        swap = [name, '--backbone', str(NETWORKS / BACKBONES[backbone]), '--out', 'new.py']
        jobs += [
            dict(common, tool=str(SWAP), arguments=[*swap, '--cfg-options', *options],
                 path=[str(NETWORKS / 'elsewhere')]),
            dict(common, tool=stock(name.partition(':')[0]), arguments=['new.py']),
        ]  # fmt: skip
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [sys.executable, TESTS / 'stock_runs.py'], input=json.dumps(jobs), text=True,
        capture_output=True, env=dict(env, OMP_NUM_THREADS='1'),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    logs = [Path(jobs[i]['log']).read_text() for i in range(0, len(jobs), 2)]
    return {
        pair: (swapped, trained, log)
        for pair, swapped, trained, log in zip(pairs, codes[::2], codes[1::2], logs)
    }


def trained_two_steps(config, outcome):
    swapped, trained, log = outcome
    steps = 'Iter(train) [2/2]' if 'Iter(train)' in log else 'Epoch(train) [1][2/2]'
    return swapped == trained == 0 and steps in log and 'loss: nan' not in log


@pytest.mark.slow
def test_stock_tools_train_other_peoples_networks(tmp_path, ade_root, imagenet_root):
    outcomes = run_pairs(QUICK, tmp_path, ade_root, imagenet_root)
    for (_, config), outcome in outcomes.items():
        assert trained_two_steps(config, outcome), outcome[2][-3000:]


@pytest.mark.slow
def test_every_habit_in_every_stock_config(tmp_path, ade_root, imagenet_root):
    pairs = [(backbone, config) for config in CONFIGS for backbone in BACKBONES]
    outcomes = run_pairs(pairs, tmp_path, ade_root, imagenet_root)
    failed = {
        pair: outcome[2].splitlines()[-1]
        for pair, outcome in outcomes.items()
        if not trained_two_steps(pair[1], outcome)
    }
    print(f'{len(pairs) - len(failed)} of {len(pairs)}')
    assert not failed
