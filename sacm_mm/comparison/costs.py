"""What the rows of a study cost: parameters, multiplications, activations, latency."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from sacm_mm.benchmark.complexity import count
from sacm_mm.benchmark.measure import interleave
from sacm_mm.comparison.runs import study_folder, write_json
from sacm_mm.comparison.study import Row, Study
from sacm_mm.errors import UserError
from sacm_mm.provenance import stamp
from sacm_mm.swap.meta import build_backbone, quiet

_ROUNDS = 10
TRAINED_ONLY = ('auxiliary_head',)  # not part of what is used


def keep_costs(study: Study, rows: Sequence[Row], root: Path, again: bool = False) -> Path:
    """Measure the rows that have no costs yet, in turn, and write them beside the runs.

    Latencies are comparable when they were measured together: one new row has all measured again.
    """
    path = study_folder(study, root) / 'costs.json'
    known = json.loads(path.read_text())['rows'] if path.is_file() else {}
    wanted = {row.name for row in rows}
    if again or not wanted <= set(known):
        both = [row for row in study.rows.values() if row.name in wanted | set(known)]
        write_json(measure(study, both), path)
    return path


def measure(study: Study, rows: Sequence[Row], rounds: int = _ROUNDS) -> dict[str, Any]:
    """Count and time whole networks, images to logits, one image at a time in float32."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    calls: dict[str, Callable] = {}
    costs: dict[str, dict[str, Any]] = {}
    for row in rows:
        try:
            cfg = study.expand(row, 0)
            costs[row.name] = complexity(cfg, study.size)
            calls[row.name] = _forward(cfg, study.size, device)
        except UserError:  # training it says why
            continue
    for name, timing in interleave(calls, rounds).items():
        costs[name] |= {
            'latency_ms': round(timing.median * 1e3, 2),
            'latency_lower_ms': round(timing.lower * 1e3, 2),
            'latency_upper_ms': round(timing.upper * 1e3, 2),
        }
    return {
        'size': list(study.size),
        'rounds': rounds,
        'device': device,
        'command': f'python tools/benchmark.py complexity {study.name} --latency',
        'stamp': stamp(),
        'rows': costs,
    }


def complexity(cfg: Mapping, size: Sequence[int]) -> dict[str, int]:
    """Count a config's network, and the parameters of its backbone, at a size (H, W)."""
    model = build_backbone(_used(cfg['model']), cfg['default_scope'])
    backbone = sum(p.numel() for p in model.backbone.parameters())
    found = count(model, 1, 3, *size, forward=lambda x: model(x, mode='tensor'))
    return {**asdict(found), 'backbone_parameters': backbone}


def _used(model: Mapping) -> dict:
    return {key: value for key, value in model.items() if key not in TRAINED_ONLY}


def _forward(cfg: Mapping, size: Sequence[int], device: str) -> Callable[[], Any]:
    with quiet(), DefaultScope.overwrite_default_scope(cfg['default_scope']):
        model: nn.Module = MODELS.build(_used(cfg['model'])).to(device)
    model.eval()
    image = torch.randn(1, 3, *size, device=device)

    def call() -> Any:
        with torch.no_grad():
            return model(image, mode='tensor')

    return call
