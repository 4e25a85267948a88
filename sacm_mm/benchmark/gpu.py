"""What the fused GPU kernels gain: networks against timm's compiled one, kernels against a copy.

One call measures all of it and gives a verdict on each target; every figure is a ratio inside it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sacm_mm.benchmark.implementations import network
from sacm_mm.benchmark.measure import Timing, interleave, peak_memory
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_csv, write_text
from sacm_mm.core.machine import stamp
from sacm_mm.kernels import accelerate
from sacm_mm.kernels.gpu import operators
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer, parse_arch

TRAIN_GAIN, INFERENCE_GAIN, COPY_SHARE = 1.3, 1.5, 0.6  # the targets
PARITY = 1e-4  # of float32 maps and gradients, relative to their largest value
_CALLS = 20  # of a kernel, between two looks at the clock: its launch takes as long as it does
_EPS = 1e-5

Calls = dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class GpuSetting:
    """What is measured.

    Attributes:
        arch: Architecture by name.
        size: Height and width of the images, in pixels.
        batch: Images a call.
        rounds: Timed calls of each.
        against: The network to compare with, ``'timm'`` or ``'mmpretrain'``.
        device: Torch device; on another than CUDA nothing is compiled and no kernel of ours runs,
            which tries the measurement itself out.
    """

    arch: str = 'd768-l32-k7-p7'
    size: int = 224
    batch: int = 64
    rounds: int = 20
    against: str = 'timm'
    device: str = 'cuda:0'

    @property
    def compiles(self) -> bool:
        """Whether networks are compiled too."""
        return torch.device(self.device).type == 'cuda'


def measure_gpu(setting: GpuSetting, out: Path, report: Callable[[str], None] = print) -> None:
    """Measure networks and kernels; write ``networks.csv``, ``kernels.csv``, ``verdicts.txt``.

    Args:
        setting: What is measured.
        out: Folder of the results.
        report: Called with each line for the reader.

    Raises:
        UserError: There is no such device, or the other network is not installed.
    """
    if setting.compiles and not torch.cuda.is_available():
        raise UserError('this measurement needs a CUDA device, and PyTorch finds none here')
    verdicts = [_parity(setting)]
    report(verdicts[0])
    rows: list[dict[str, Any]] = []
    for mode, calls, target in (
        ('train', _training_calls, TRAIN_GAIN),
        ('forward', _inference_calls, INFERENCE_GAIN),
    ):
        timings, found = _measure(mode, calls(setting), setting)
        rows += found
        verdicts.append(_gain(mode, timings, setting, target))
        report(verdicts[-1])
        write_csv(rows, out / 'networks.csv')  # what is measured is not lost
    kernels = _measure_kernels(setting)
    write_csv(kernels, out / 'kernels.csv')
    verdicts.append(_bandwidth(kernels, setting))
    report(verdicts[-1])
    write_text('\n'.join(verdicts) + '\n', out / 'verdicts.txt')


def _image(setting: GpuSetting) -> Tensor:
    return torch.randn(setting.batch, 3, setting.size, setting.size, device=setting.device)


def _parity(setting: GpuSetting) -> str:
    """Compare the fused network with the plain one, in float32, forward and backward."""
    torch.manual_seed(0)
    dim, k = (parse_arch(setting.arch)[key] for key in ('embed_dims', 'kernel_size'))
    model = SAConvMixer(f'd{dim}-l2-k{k}-p4').to(setting.device)
    image = torch.randn(4, 3, 52, 36, device=setting.device)
    fused = _maps_and_gradients(accelerate(copy.deepcopy(model), training=True), image)
    with _exact_products():
        wanted = _maps_and_gradients(model, image)
    worst = max(
        float((a - b).abs().max() / b.abs().max().clamp_min(1e-6)) for a, b in zip(fused, wanted)
    )
    return _verdict('fused and plain network, largest difference', worst, '<=', PARITY)


@contextmanager
def _exact_products() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _maps_and_gradients(model: nn.Module, image: Tensor) -> list[Tensor]:
    out = model.train()(image)[0]
    weights = torch.linspace(-1, 1, out.numel(), device=out.device).view_as(out)
    (out * weights).sum().backward()
    return [out.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


def _training_calls(setting: GpuSetting) -> Calls:
    """Training steps in bfloat16: the other network in both layouts, ours fused and plain."""
    other = network(setting.against, setting.arch).to(setting.device)
    ours = SAConvMixer(setting.arch).to(setting.device)
    image = _image(setting)
    models = {**_both_layouts(setting.against, other), 'ours plain': copy.deepcopy(ours)}
    calls = {name: _step(_compiled(model, setting), model, image) for name, model in models.items()}
    ours = accelerate(ours, training=True)
    if setting.compiles:
        twin = copy.deepcopy(ours)
        calls['ours fused, compiled'] = _step(torch.compile(twin), twin, image)
    calls['ours fused'] = _step(ours, ours, image)
    return calls


def _inference_calls(setting: GpuSetting) -> Calls:
    """Forward passes in bfloat16, as for training."""
    image = _image(setting)
    other = network(setting.against, setting.arch)
    other.eval()  # mmpretrain's returns None
    other = other.to(setting.device, torch.bfloat16)
    ours = SAConvMixer(setting.arch).eval().to(setting.device)
    low = copy.deepcopy(ours).to(torch.bfloat16)
    models = {**_both_layouts(setting.against, other), 'ours plain': copy.deepcopy(low)}
    calls = {name: _forward(_compiled(model, setting), image) for name, model in models.items()}
    calls['ours fused'] = _forward(accelerate(low), image)
    if setting.compiles:
        fast = accelerate(ours, image, dtype=torch.bfloat16)
        calls['ours fused, optimized'] = lambda: fast(image)
    return calls


def _both_layouts(name: str, model: nn.Module) -> dict[str, nn.Module]:
    # compiled apart from each other: a compiled module keeps the layout of its weights
    return {
        name: model,
        f'{name}, channels last': copy.deepcopy(model).to(memory_format=torch.channels_last),
    }


def _compiled(model: nn.Module, setting: GpuSetting) -> Callable[[Tensor], Any]:
    return torch.compile(model) if setting.compiles else model


def _step(run: Callable[[Tensor], Any], model: nn.Module, image: Tensor) -> Callable[[], None]:
    """Return a step of SGD on the mean square of the map, under bfloat16 autocast."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=image.device.type == 'cuda')

    def step() -> None:
        with torch.autocast(image.device.type, torch.bfloat16):
            out = run(image)
            out = out[0] if isinstance(out, tuple) else out
            loss = out.float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _forward(run: Callable[[Tensor], Any], image: Tensor) -> Callable[[], Any]:
    image = image.to(torch.bfloat16)

    def forward() -> Any:
        with torch.no_grad():
            return run(image)

    return forward


def _measure(
    mode: str, calls: Calls, setting: GpuSetting
) -> tuple[dict[str, Timing], list[dict[str, Any]]]:
    timings = interleave(calls, setting.rounds, warmup=3)
    rows = []
    for name, timing in timings.items():
        memory = peak_memory(calls[name], setting.device)
        rows.append(
            {
                'implementation': name,
                'mode': mode,
                **asdict(setting),
                **_figures(timing),
                'images_per_s': round(setting.batch / timing.median, 1),
                'peak_mib': None if memory is None else round(memory / 2**20, 1),
                **stamp(),
            }
        )
    return timings, rows


def _gain(mode: str, timings: Mapping[str, Timing], setting: GpuSetting, target: float) -> str:
    """Compare the fastest of each side."""
    fastest = {
        side: min((t.median, name) for name, t in timings.items() if name.startswith(side))
        for side in ('ours fused', setting.against)
    }
    (ours, our_name), (theirs, their_name) = fastest['ours fused'], fastest[setting.against]
    return _verdict(f'{mode}: {our_name} against {their_name}', theirs / ours, '>=', target)


def _measure_kernels(setting: GpuSetting) -> list[dict[str, Any]]:
    """Time each operator on a map like the network's, and a copy of one, in both layouts."""
    sizes = parse_arch(setting.arch)
    side = -(-setting.size // sizes['patch_size'])
    shape = (setting.batch, sizes['embed_dims'], side, side)
    rows = []
    for layout in (torch.channels_last, torch.contiguous_format):
        for k in sorted({3, 5, 7, 9, sizes['kernel_size']}):
            x = torch.randn(shape, device=setting.device, dtype=torch.bfloat16)
            passes, calls = _kernel_calls(x.contiguous(memory_format=layout), k)
            timings = interleave(calls, setting.rounds)
            for name, timing in timings.items():
                rate = passes[name] * x.nbytes * _CALLS / timing.median / 1e9
                rows.append(
                    {
                        'kernel': name,
                        'k': k,
                        'shape': 'x'.join(map(str, shape)),
                        'layout': str(layout).removeprefix('torch.'),
                        'passes': passes[name],
                        **_figures(timing, _CALLS),
                        'gb_per_s': round(rate, 1),
                        'share_of_copy': round(
                            rate * timings['copy'].median / (2 * x.nbytes * _CALLS) * 1e9, 3
                        ),
                        **stamp(),
                    }
                )
    return rows


def _kernel_calls(x: Tensor, k: int) -> tuple[dict[str, int], Calls]:
    """Return the passes over a tensor that each operator has to make, and a call of each."""
    c = x.shape[1]
    weight = torch.randn(c, 1, k, k, device=x.device)
    matrix = torch.randn(c, c, 1, 1, device=x.device) / c**0.5
    bias, gamma, beta, mean = torch.randn(4, c, device=x.device).unbind()
    var = torch.ones_like(mean)
    y, pre, *batch = operators.depthwise_norm(x, weight, bias, gamma, beta, _EPS)
    fixed = (mean, var, gamma, beta, _EPS)
    target = torch.empty_like(x)
    kernels: dict[str, tuple[int, Callable[[], Any]]] = {
        'copy': (2, lambda: target.copy_(x)),
        'depthwise_eval': (2, lambda: operators.depthwise_eval(x, weight, bias, *fixed)),
        'pointwise_eval': (2, lambda: operators.pointwise_eval(x, matrix, bias, *fixed)),
        'gelu_norm_eval': (2, lambda: operators.gelu_norm_eval(x, bias, *fixed)),
        'depthwise_norm': (
            5,
            lambda: operators.depthwise_norm(x, weight, bias, gamma, beta, _EPS),
        ),
        'depthwise_norm_backward': (
            10,
            lambda: operators.depthwise_norm_backward(y, x, weight, pre, gamma, *batch, _EPS),
        ),
        'gelu_norm': (3, lambda: operators.gelu_norm(x, bias, gamma, beta, _EPS)),
        'gelu_norm_backward': (
            5,
            lambda: operators.gelu_norm_backward(y, x, bias, gamma, *batch, _EPS),
        ),
    }
    passes = {name: count for name, (count, _) in kernels.items()}
    return passes, {name: _repeat(call) for name, (_, call) in kernels.items()}


def _repeat(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(_CALLS):
            call()

    return run


def _bandwidth(kernels: list[dict[str, Any]], setting: GpuSetting) -> str:
    k = parse_arch(setting.arch)['kernel_size']
    (share,) = (
        row['share_of_copy']
        for row in kernels
        if (row['kernel'], row['k'], row['layout']) == ('depthwise_eval', k, 'channels_last')
    )
    return _verdict(f'depthwise kernel, k = {k}, share of copy bandwidth', share, '>=', COPY_SHARE)


def _figures(timing: Timing, calls: int = 1) -> dict[str, float]:
    return {
        'median_ms': round(timing.median / calls * 1e3, 4),
        'lower_quartile_ms': round(timing.lower / calls * 1e3, 4),
        'upper_quartile_ms': round(timing.upper / calls * 1e3, 4),
    }


def _verdict(what: str, value: float, relation: str, target: float) -> str:
    met = value >= target if relation == '>=' else value <= target
    return f'{"met" if met else "MISSED"}: {what}: {value:.3g} (target {relation} {target:g})'
