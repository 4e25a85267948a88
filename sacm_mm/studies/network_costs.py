"""What the networks of a study cost: parameters, multiplications, activations, latency."""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from sacm_mm.benchmark.complexity import count, count_config, used_model
from sacm_mm.benchmark.measure import interleave
from sacm_mm.core.configs import find_config, find_study, read_config
from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import write_json
from sacm_mm.core.machine import stamp
from sacm_mm.deploy.description import channels_of
from sacm_mm.deploy.network import Network as Outputs
from sacm_mm.deploy.runtimes import RUNTIMES, load_exported
from sacm_mm.kernels.accelerating import accelerate, fast_parts
from sacm_mm.kernels.folding import fold
from sacm_mm.studies.recipe import model_of
from sacm_mm.studies.results import COSTS, model_mark, read_record
from sacm_mm.studies.runs import study_folder
from sacm_mm.studies.study import Network, Study, load_study
from sacm_mm.swap import find_backbone
from sacm_mm.swap.dry_run import build_part, quiet

_ROUNDS = 10


def keep_costs(study: Study, networks: Sequence[Network], root: Path, again: bool = False) -> Path:
    """Measure the networks that have no costs yet, in turn, and write them beside the runs.

    Latencies are comparable when they were measured together: one network that is new or has
    changed has all measured again.
    """
    path = study_folder(study, root) / COSTS
    known = read_record(path) if path.is_file() else {}
    marks = known.get('models', {})
    same_size = known.get('size') == list(study.size)
    if again or not same_size or any(marks.get(n.name) != _mark(study, n) for n in networks):
        wanted = {network.name for network in networks} | set(known.get('networks', {}))
        both = [network for name, network in study.networks.items() if name in wanted]
        write_json(measure_costs(study, both), path)
    return path


def _mark(study: Study, network: Network) -> str | None:
    try:
        return model_mark(model_of(study.expand(network, 0)))
    except UserError:  # it has no costs; training it says why
        return None


def measure_costs(
    study: Study, networks: Sequence[Network], rounds: int = _ROUNDS
) -> dict[str, Any]:
    """Count and time whole networks, images to outputs, one image at a time in float32.

    A network's latency is that of its fastest way: PyTorch, our kernels, OpenVINO, ONNX Runtime.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    models: dict[str, nn.Module] = {}
    marks: dict[str, str] = {}
    costs: dict[str, dict[str, Any]] = {}
    for network in networks:
        with suppress(UserError):  # training it says why
            cfg = study.expand(network, 0)
            costs[network.name] = {**count_config(cfg, study.size), 'ways_ms': {}}
            marks[network.name] = model_mark(model_of(cfg))
            models[network.name] = _built(cfg).to(device)
    channels = max(map(channels_of, models.values()), default=3)  # of all: their data are the same
    image = torch.randn(1, channels, *study.size, device=device)
    with tempfile.TemporaryDirectory() as files:
        ways: dict[str, Callable[[nn.Module], Callable | None]] = {
            'PyTorch': partial(_plain, image)
        }
        if device == 'cpu':
            ways['kernels'] = partial(_by_kernels, image)
            if study.budget != 'tiny':  # exporting takes its time
                exported = cache(partial(_exported, image, Path(files)))
                ways |= {name: partial(_by_runtime, name, exported, image) for name in RUNTIMES}
        for way, build in ways.items():
            calls = {
                name: call
                for name, model in models.items()
                if (call := _runs(build, model, f'{name} by {way}'))
            }
            if way in RUNTIMES:  # their threads stay busy after a call, and would delay another's
                timings = {
                    name: interleave({'': call}, rounds, device)[''] for name, call in calls.items()
                }
            else:
                timings = interleave(calls, rounds, device)
            for name, timing in timings.items():
                milliseconds = round(timing.median * 1e3, 2)
                costs[name]['ways_ms'][way] = milliseconds
                if milliseconds == min(costs[name]['ways_ms'].values()):
                    costs[name] |= {
                        'latency_ms': milliseconds,
                        'latency_lower_ms': round(timing.lower * 1e3, 2),
                        'latency_upper_ms': round(timing.upper * 1e3, 2),
                    }
    return {
        'size': list(study.size),
        'rounds': rounds,
        'device': device,
        'command': f'sacm benchmark complexity {study.call_name} --budget {study.budget} --latency',
        'stamp': stamp(),
        'models': marks,
        'networks': costs,
    }


def count_networks(
    names: Sequence[str],
    size: Sequence[int] | None,
    budget: str | None,
    root: Path,
    latency: bool = False,
) -> Iterator[dict[str, Any]]:
    """Count networks by name: those of a study, a config's, or a bare backbone.

    Args:
        names: See above.
        size: Height and width, one number for both, or None for each one's own.
        budget: Of studies.
        root: Folder of the runs; with ``latency`` the costs are kept there.
        latency: Time the networks of studies too.

    Raises:
        UserError: A name is none of them, or its network does not build.
    """
    for name in names:
        config = _find(name)
        if config is None:
            shape = _shape(size, (224, 224))
            model = build_part(find_backbone(name))
            found = asdict(count(model, 1, 3, *shape))
            yield _line(name, shape, {**found, 'backbone_parameters': found['parameters']})
        elif 'study' in (cfg := read_config(config)):
            yield from _count_study(load_study(str(config), budget), size, root, latency)
        else:
            shape = _shape(size, (224, 224))
            yield _line(config.name, shape, count_config(cfg, shape))


def _find(name: str) -> Path | None:
    for find in (find_study, find_config):
        with suppress(UserError):
            return find(name)
    return None


def _count_study(
    study: Study, size: Sequence[int] | None, root: Path, latency: bool
) -> Iterator[dict[str, Any]]:
    shape = _shape(size, study.size)
    timed = {}
    if latency:
        timed = read_record(keep_costs(study, [*study.networks.values()], root, again=True))
        timed = timed['networks']
    for network in study.networks.values():
        try:
            found: dict[str, Any] = {**count_config(study.expand(network, 0), shape)}
        except UserError as error:
            print(f'note: left out {network.name}: {error}', file=sys.stderr)
            continue
        if latency:
            found['latency_ms'] = timed.get(network.name, {}).get('latency_ms')
        yield _line(f'{study.name}/{network.name}', shape, found)


def _shape(size: Sequence[int] | None, default: Sequence[int]) -> tuple[int, int]:
    height, width = (size[0], size[-1]) if size else default
    return height, width


def _line(name: str, shape: tuple[int, int], found: Mapping[str, Any]) -> dict[str, Any]:
    return {'network': name, 'size': f'{shape[0]}x{shape[1]}', **found}


def _built(cfg: Mapping) -> nn.Module:
    with quiet(), DefaultScope.overwrite_default_scope(cfg['default_scope']):
        model: nn.Module = MODELS.build(used_model(cfg))
    return model.eval()


def _runs(build: Callable[[nn.Module], Callable | None], model: nn.Module, what: str) -> Any:
    """Build a call that runs; where it does not, say why: nothing here may end a study."""
    try:
        call = build(model)
        if call:
            call()
    except Exception as error:  # runtimes have no common one
        print(f'note: no latency of {what}: {one_line(error, 200)}', file=sys.stderr)
        return None
    return call


def _plain(image: Tensor, model: nn.Module) -> Callable[[], Any]:
    try:
        network: Callable = Outputs(model)
    except UserError:  # a detector
        network = partial(model, mode='tensor')

    def call() -> Any:
        with torch.no_grad():
            return network(image)

    return call


def _by_kernels(image: Tensor, model: nn.Module) -> Callable[[], Any] | None:
    fast = accelerate(copy.deepcopy(model))
    return _plain(image, fast) if fast_parts(fast) else None


def _by_runtime(
    runtime: str, exported: Callable[[nn.Module], Path | Exception], image: Tensor, model: nn.Module
) -> Callable[[], Any] | None:
    """Build the call of a runtime; None if it is not installed."""
    if not find_spec(runtime) or not find_spec('onnxscript'):
        return None
    file = exported(model)
    if isinstance(file, Exception):
        raise file
    return partial(load_exported(file, runtime), image.numpy())


def _exported(image: Tensor, folder: Path, model: nn.Module) -> Path | Exception:
    """Write a model for this size alone; what cannot be written must not be tried per runtime."""
    file = folder / f'{id(model)}.onnx'
    try:
        with quiet():
            torch.onnx.export(
                Outputs(fold(model)), (image,), file, dynamo=True, external_data=False,
                verbose=False,
            )  # fmt: skip
    except Exception as error:  # exporters have no common one
        return error
    return file
