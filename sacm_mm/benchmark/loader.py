"""Whether images keep up with the network: training steps with and without their pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

from sacm_mm.apis.runner import build_runner
from sacm_mm.core.machine import stamp, synchronize
from sacm_mm.engine.fast_training import FastTrainingHook


def measure_loader(cfg: Config, steps: int, rounds: int) -> dict[str, Any]:
    """Time training steps on one batch that is at hand, on loaded batches, and loading alone.

    Phases of ``steps`` steps take turns, so that what else happens on the machine meets all.

    Args:
        cfg: A config as ``tools/train.py`` prepares it.
        steps: Steps a phase, more than the workers load ahead.
        rounds: Phases of each kind.

    Returns:
        Images a second, the median of the phases, and the share of the bare throughput that
        training reaches; with the machine.
    """
    runner = build_runner(cfg, ('train_dataloader',))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for hook in runner.hooks:
        if isinstance(hook, FastTrainingHook):
            hook.before_train(runner)
    runner.model.train()
    loader = Runner.build_dataloader(runner._train_dataloader, seed=0)
    batches = _endless(loader)
    batch = next(batches)
    kinds = {'bare': (iter(lambda: batch, None), True), 'trained': (batches, True)}
    for source, _ in kinds.values():
        _rate(runner, source, 2)
    kinds['loading'] = (batches, False)
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (source, trains) in kinds.items():
            rates[kind].append(_rate(runner, source, steps, trains))
    median = {kind: float(np.median(values)) for kind, values in rates.items()}
    return {
        'batch': len(batch['inputs']),
        'workers': loader.num_workers,
        'steps': steps,
        'rounds': rounds,
        **{f'{kind}_images_per_s': round(rate, 2) for kind, rate in median.items()},
        'share_of_bare': round(median['trained'] / median['bare'], 4),
        **stamp(),
    }


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _rate(runner: Runner, source: Iterator[Any], steps: int, trains: bool = True) -> float:
    """Take batches, and train on them; the last of an epoch may be smaller. Images a second."""
    images, start = 0, time.perf_counter()
    for _ in range(steps):
        batch = next(source)
        images += len(batch['inputs'])
        if trains:
            runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)
    synchronize(next(runner.model.parameters()).device)
    return images / (time.perf_counter() - start)
