"""A study's results as `report` keeps them, written by hand: runs without training."""

import json
from pathlib import Path

import cv2
import numpy as np

from sacm_mm.core.files import write_json
from sacm_mm.studies.records import study_record

STAMP = {
    'sacm_mm': '0.1.0', 'commit': 'c' * 40, 'python': '3.11.7', 'torch': '2.15.0',
    'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmsegmentation': '1.4.2',
    'onedl-mmpretrain': '1.3.6', 'cpu': 'some CPU', 'cores': 2, 'threads': 2, 'gpu': None,
}  # fmt: skip
CLASSES = ('sky', 'building', 'road')


def write_study(study, out: Path, figures: dict[str, list[float]]) -> None:
    """Write the results of a study, with a figure for each network and seed."""
    write_json(study_record(study), out / 'study.json')
    costs = {}
    for place, (network, values) in enumerate(figures.items()):
        for seed, value in enumerate(values):
            write_run(study, out / 'runs' / f'{network}_seed{seed}', network, seed, value)
        costs[network] = {
            'parameters': 10**6 * (place + 1),
            'backbone_parameters': 10**6,
            'macs': 10**9 * (5 - place),
            'activations': 10**7,
            'latency_ms': 10.0 + place,
            'latency_lower_ms': 9.0,
            'latency_upper_ms': 12.0,
        }
    costs = {'size': [360, 480], 'rounds': 3, 'device': 'cpu', 'stamp': STAMP, 'networks': costs}
    write_json(costs, out / 'costs.json')


def write_run(study, folder: Path, network: str, seed: int, value: float) -> None:
    """Write one run."""
    about = study_record(study)
    config = {'recipe': about['recipe'], 'model': about['networks'][network]['model'], 'seed': seed}
    write_json(config, folder / 'config.json')
    write_json(
        {
            'config': f'configs/studies/{study.name}.py',
            'commands': [f'sacm study run {study.name} --networks {network}'],
            'seed': seed,
            'note': '',
            'study': study.name,
            'budget': study.budget,
            'network': network,
            'train': {'seconds': 90, 'stamp': STAMP},
            'test': {
                'whole': {
                    'figures': {study.metric: value},
                    'classes': {'IoU': {name: value + i for i, name in enumerate(CLASSES)}},
                    'stamp': STAMP,
                }
            },
        },
        folder / 'result.json',
    )
    (folder / 'train.log').write_text(f'sacm_mm stamp: {json.dumps(STAMP)}\n')
    (folder / 'test_whole.log').write_text(
        f'Iter(test) [4/4]  {study.metric}: {value:.4f}  time: 0.1\n'
    )
    steps = range(study.steps // 4, study.steps + 1, study.steps // 4)
    rows = ({'loss': 3 - s / study.steps, 'time': 0.5, 'iter': s, 'step': s} for s in steps)
    (folder / 'scalars.json').write_text(''.join(json.dumps(r) + '\n' for r in rows))
    _write_samples(folder, seed)


def _write_samples(folder: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    shared = folder.parents[1] / 'samples'
    shared.mkdir(exist_ok=True)
    cv2.imwrite(str(shared / 'image.webp'), np.repeat([90, 180], 24 * 32 * 3).reshape(48, 32, 3))
    cv2.imwrite(str(shared / 'gt.png'), np.repeat([0, 1], 24 * 32).reshape(48, 32))
    cv2.imwrite(str(folder / 'pred.png'), random.integers(0, 3, (48, 32), dtype=np.uint8))
    about = {
        'classes': list(CLASSES),
        'palette': [[90, 90, 90], [128, 0, 0], [0, 0, 128]],
        'depth_scale': 100,
        'files': {'image': 'image.webp', 'gt': 'gt.png', 'pred': 'pred.png'},
        'samples': [{'source': f'{i}.png', 'size': [24, 32]} for i in range(2)],
    }
    write_json(about, folder / 'samples.json')
