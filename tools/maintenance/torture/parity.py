"""Two processes give the losses and the weights of one with the same global batch.

That holds for losses that are means over pictures or pixels. Those that are normalized by what a
process sees (class weights, scale-invariant depth) are other functions of the parts of a batch.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from torture.bench import TASKS, Bench, weights
from torture.hooks import hook
from torture.stops import start_two

_TOLERANCE = 1e-4
# batch norm sees a process' own pictures only, and its synchronised form needs GPUs
_NORM: dict[str, object] = {
    'model__backbone__norm_cfg__type': 'GN',
    'model__backbone__norm_cfg__num_groups': 4,
}

_OWN: dict[str, dict[str, object]] = {
    'segmentation': {
        'model__decode_head__loss_decode__class_weight': None,
        'model__decode_head__dropout_ratio': 0,  # each process draws its own
    },
    'classification': {},
}


def run(bench: Bench) -> None:
    """Compare the losses of each step, and the weights at the end."""
    for name in _OWN:
        with bench.case(f'train {name} in two processes'):
            _compare(bench, name)


def _compare(bench: Bench, name: str) -> None:
    task = TASKS[name]
    losses, ends = [], []
    for processes in (1, 2):
        folder = bench.scratch()
        options = {**_NORM, **_OWN[name], 'train_dataloader__batch_size': 4 // processes,
                   **hook('KeepLossesHook', out='losses.json')}  # fmt: skip
        if processes == 1:
            bench.must(task.train('work', **options), folder)
        else:
            for command in start_two(bench, task, folder, **options):
                ended = command.wait()
                assert ended.code == 0, ended.tail()
        losses.append(json.loads((folder / 'losses.json').read_text()))
        ends.append(weights(Path(folder, 'work', task.last)))
    worst = max(abs(a - b) / max(1, abs(a)) for a, b in zip(*losses))
    bench.notes[f'{name}: largest difference of a loss, in millionths'] = round(worst * 1e6)
    assert len(losses[0]) == len(losses[1]) > 0
    assert worst < _TOLERANCE, f'losses differ by {worst:.2g}'
    for key, tensor in ends[0].items():
        other = ends[1][key]
        assert torch.allclose(tensor.float(), other.float(), atol=1e-3), f'{key} differs'
