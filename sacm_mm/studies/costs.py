"""What the rows of a study cost: parameters, multiplications, activations, latency."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from sacm_mm.benchmark.complexity import count
from sacm_mm.benchmark.measure import interleave
from sacm_mm.core.configs import find_config, find_study
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_json
from sacm_mm.core.machine import stamp
from sacm_mm.studies.runs import study_folder
from sacm_mm.studies.study import Network, Study, load_study
from sacm_mm.swap import find_backbone
from sacm_mm.swap.dry_run import build_part, quiet

_ROUNDS = 10
TRAINED_ONLY = ('auxiliary_head',)  # not part of what is used


def keep_costs(study: Study, rows: Sequence[Network], root: Path, again: bool = False) -> Path:
    """Measure the rows that have no costs yet, in turn, and write them beside the runs.

    Latencies are comparable when they were measured together: one new row has all measured again.
    """
    path = study_folder(study, root) / 'costs.json'
    known = json.loads(path.read_text())['rows'] if path.is_file() else {}
    wanted = {row.name for row in rows}
    if again or not wanted <= set(known):
        both = [row for row in study.networks.values() if row.name in wanted | set(known)]
        write_json(measure(study, both), path)
    return path


def measure(study: Study, rows: Sequence[Network], rounds: int = _ROUNDS) -> dict[str, Any]:
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
    model = build_part(_used(cfg['model']), cfg['default_scope'])
    parts: Any = model  # the hosts' models have a backbone
    backbone = sum(p.numel() for p in parts.backbone.parameters())
    found = count(model, 1, 3, *size, forward=lambda x: model(x, mode='tensor'))
    return {**asdict(found), 'backbone_parameters': backbone}


def cost_rows(
    networks: Sequence[str],
    size: Sequence[int] | None,
    budget: str | None,
    root: Path,
    latency: bool = False,
) -> Iterator[dict[str, Any]]:
    """Count networks by name: the rows of a study, a config, or a bare backbone.

    Args:
        networks: Names, see above.
        size: Height and width, one number for both, or None for each one's own.
        budget: Of studies.
        root: Folder of the runs; with ``latency`` the costs are kept there.
        latency: Time the rows of studies too.

    Raises:
        UserError: A name is none of them, or its network does not build.
    """
    for name in networks:
        kind, path = _kind(name)
        if kind == 'study':
            study = load_study(name, budget)
            shape = _shape(size, study.size)
            timed = {}
            if latency:
                kept = keep_costs(study, list(study.networks.values()), root, again=True)
                timed = json.loads(kept.read_text())['rows']
            for row in study.networks.values():
                try:
                    found = complexity(study.expand(row, 0), shape)
                except UserError as error:
                    print(f'note: left out {row.name}: {error}', file=sys.stderr)
                    continue
                extra = {'latency_ms': timed.get(row.name, {}).get('latency_ms')} if latency else {}
                yield _line(f'{study.name}/{row.name}', shape, {**found, **extra})
        elif kind == 'config':
            shape = _shape(size, (224, 224))
            yield _line(path.name, shape, complexity(Config.fromfile(path), shape))
        else:
            shape = _shape(size, (224, 224))
            model = build_part(find_backbone(name))
            found = asdict(count(model, 1, 3, *shape))
            yield _line(name, shape, {**found, 'backbone_parameters': found['parameters']})


def _kind(name: str) -> tuple[str, Path]:
    for find, kind in ((find_study, 'study'), (find_config, 'config')):
        with suppress(UserError):
            path = find(name)
            is_study = 'study = dict(' in path.read_text(encoding='utf-8')
            return ('study' if kind == 'study' and is_study else 'config'), path
    return 'backbone', Path()


def _shape(size: Sequence[int] | None, default: Sequence[int]) -> tuple[int, int]:
    height, width = (size[0], size[-1]) if size else default
    return height, width


def _line(name: str, shape: tuple[int, int], found: Mapping[str, Any]) -> dict[str, Any]:
    return {'network': name, 'size': f'{shape[0]}x{shape[1]}', **found}


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
