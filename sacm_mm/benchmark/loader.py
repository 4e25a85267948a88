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
    count = len(batch['inputs'])
    kinds = {'bare': iter(lambda: batch, None), 'trained': batches}
    for source in kinds.values():
        _run(runner, source, 2)
    seconds: dict[str, list[float]] = {'bare': [], 'trained': [], 'loading': []}
    for _ in range(rounds):
        for kind, source in kinds.items():
            seconds[kind].append(_run(runner, source, steps))
        start = time.perf_counter()
        for _ in range(steps):
            next(batches)
        seconds['loading'].append(time.perf_counter() - start)
    median = {kind: float(np.median(values)) for kind, values in seconds.items()}
    return {
        'batch': count,
        'workers': loader.num_workers,
        'steps': steps,
        'rounds': rounds,
        **{f'{kind}_images_per_s': round(count * steps / s, 2) for kind, s in median.items()},
        'share_of_bare': round(median['bare'] / median['trained'], 4),
        **stamp(),
    }


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _run(runner: Runner, source: Iterator[Any], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        runner.model.train_step(next(source), optim_wrapper=runner.optim_wrapper)
    synchronize(next(runner.model.parameters()).device)
    return time.perf_counter() - start
