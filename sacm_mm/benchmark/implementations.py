"""The ways to run one network that are compared: ours, the hosts', timm's, runtimes and files.

It is the bare ConvMixer, from an image to the map of its last block, or the whole segmentation
network with the pixel-shuffle head, from an image to logits of its size.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from sacm_mm.core.configs import load_config
from sacm_mm.core.errors import UserError
from sacm_mm.deploy import load_exported
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.network import Network
from sacm_mm.deploy.quantizing import check_quantizable, quantize
from sacm_mm.deploy.runtimes import RUNTIMES, SUFFIXES, Exported
from sacm_mm.kernels.accelerating import accelerate, fast_parts
from sacm_mm.models.backbones.sa_convmixer import OPTIONS, SAConvMixer, parse_arch

NAMES = ('plain', 'fast', 'compiled', 'checkpointed', 'mmpretrain', 'timm')
DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
    'int8': torch.int8,
}
_WHOLE = 'sacm_camvid_light.py'  # the config whose network it is, but for the backbone
_CALIBRATION = 4  # pictures of noise: the ranges do not matter to the time


@dataclass(frozen=True)
class Setting:
    """What is measured.

    Attributes:
        arch: Architecture by name, such as ``'d512-l12-k5-p5'``, or ``''`` of an exported file,
            which has its own.
        mode: ``'forward'`` or ``'train'``, a step of SGD on the mean square of the map.
        size: Height and width of the images, in pixels.
        batch: Images a call.
        dtype: A key of ``DTYPES``.
        device: Torch device.
        whole: Measure the whole network, see the module.
    """

    arch: str
    mode: str
    size: int
    batch: int
    dtype: str
    device: str
    whole: bool = False


def is_file(name: str) -> bool:
    """Tell an exported file from the names of implementations."""
    return name.endswith(SUFFIXES)


def own_setting(name: str, setting: Setting) -> tuple[str, Setting]:
    """Part ``NAME@DTYPE``, and check that what is named can be measured so, before others are.

    Returns:
        The name, see ``build``, and the setting in its precision; a file has its own.

    Raises:
        UserError: The name is unknown, its package is not installed, or it is not for that.
    """
    bare = is_file(name) or '@' not in name  # folders have that, too
    name, at, dtype = (name, '', '') if bare else name.rpartition('@')
    if at and dtype not in DTYPES:
        raise UserError(f"unknown dtype in '{name}@{dtype}': choose from {', '.join(DTYPES)}")
    setting = replace(setting, dtype=dtype or setting.dtype)
    sizes = parse_arch(setting.arch)
    if is_file(name):
        if at:
            raise UserError(f"'{name}' has a precision of its own: leave out @{dtype}")
        if name.endswith('.pt2'):
            raise UserError(
                f"'{name}' is not timed, for a .pt2 file can run code: time the model's .onnx file"
            )
        if setting.mode != 'forward':
            raise UserError(
                f"'{name}' cannot be trained: measure exported files with --mode forward"
            )
        meta = _file(name).meta
        return name, replace(setting, arch='', dtype='int8' if meta.get('int8') else 'float32')
    if name in RUNTIMES:
        if not setting.whole or setting.mode != 'forward':
            raise UserError(
                f"'{name}' runs the whole network forward: add --whole, or leave it out"
            )
        if setting.dtype not in ('float32', 'int8'):
            raise UserError(f'exported files compute in float32 or int8: leave out {setting.dtype}')
        return name, setting
    if name not in NAMES:
        raise UserError(
            f"unknown implementation '{name}': choose from {', '.join((*NAMES, *RUNTIMES))}, or "
            'name an exported file'
        )
    if setting.dtype == 'int8':
        raise UserError(f"'{name}' has no int8: {' and '.join(RUNTIMES)} have")
    if setting.whole and (name not in ('plain', 'compiled', 'fast') or setting.mode != 'forward'):
        raise UserError(
            f"'{name}' does not run the whole network in mode {setting.mode}: leave out --whole"
        )
    if name in ('mmpretrain', 'timm') and set(sizes) & set(OPTIONS):
        raise UserError(
            f"{name}'s ConvMixer has no {', '.join(key for key in OPTIONS if key in sizes)}: "
            'leave it out, or take an arch without'
        )
    if name == 'timm' and not find_spec('timm'):
        raise UserError('timm is not installed: pip install timm, or leave it out')
    return name, setting


def build(name: str, setting: Setting) -> Callable[[], Any]:
    """Build the call that is timed.

    Args:
        name: One of ``NAMES``, a runtime, an exported file, or ``RUNTIME:FILE.onnx``.
        setting: What is measured, see ``own_setting``; a file has its own architecture.
    """
    exported = _file(name) if is_file(name) else None
    channels = exported.meta.get('channels', 3) if exported else 3
    # before any weights: for one seed it is the same picture
    image = torch.randn(setting.batch, channels, setting.size, setting.size, device=setting.device)
    if name in RUNTIMES:
        exported = _file(what_to_build(name, setting))
    if exported:
        return _run_of(exported, image)
    whole = setting.whole
    model = whole_model(setting.arch) if whole else network(name, setting.arch)
    model.to(setting.device)
    if setting.mode == 'train':
        return _training_step(model, image, setting, name)
    model.eval()  # mmpretrain's returns None
    dtype = DTYPES[setting.dtype]
    if name == 'fast':  # whole networks run for images of any size, as the tools run them
        model = accelerate(model, None if whole else image, dtype=dtype)
    else:
        model, image = model.to(dtype), image.to(dtype)
    run: Callable[[Tensor], Any] = Network(model) if whole else model
    if name == 'compiled':
        run = torch.compile(run)

    def forward() -> Any:
        with torch.no_grad():
            return run(image)

    return forward


def whole_model(arch: str) -> nn.Module:
    """Build the whole network around a backbone."""
    sizes = parse_arch(arch)
    cfg = load_config(_WHOLE)
    cfg.model.backbone.arch = arch
    cfg.model.decode_head.update(
        in_channels=sizes['embed_dims'], upscale_factor=sizes['patch_size']
    )
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model).eval()


@cache
def _exports() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()  # until this process ends


@cache
def exported_file(arch: str, dtype: str) -> Path:
    """Export the whole network for runtimes, in ``'float32'`` or ``'int8'``, once a process.

    Raises:
        UserError: NNCF is not installed.
    """
    file = Path(_exports().name, f'{arch}_{dtype}.onnx')
    if dtype == 'float32':
        export(whole_model(arch), file)
    else:
        check_quantizable(file)
        noise = torch.randn(1, 3, 320, 320).numpy()
        quantize(exported_file(arch, 'float32'), file, [noise] * _CALIBRATION)
    return file


def what_to_build(name: str, setting: Setting) -> str:
    """Return what ``build`` takes in any process: for a runtime, with the file that it runs."""
    return f'{name}:{exported_file(setting.arch, setting.dtype)}' if name in RUNTIMES else name


def network(name: str, arch: str) -> nn.Module:
    """Build the bare network: ``'plain'``, ``'mmpretrain'`` or ``'timm'``."""
    sizes = parse_arch(arch)
    if name in ('plain', 'fast', 'compiled', 'checkpointed'):
        return SAConvMixer(arch, with_cp=name == 'checkpointed')
    if name == 'mmpretrain':
        from mmpretrain.models.backbones import ConvMixer

        return ConvMixer(sizes, act_cfg=dict(type='GELU'))
    return _Timm(sizes)


class _Timm(nn.Module):
    """timm's ConvMixer without its head."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.model = import_module('timm.models.convmixer').ConvMixer(
            sizes['embed_dims'],
            sizes['depth'],
            kernel_size=sizes['kernel_size'],
            patch_size=sizes['patch_size'],
            num_classes=0,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model.forward_features(x)


def _training_step(
    model: nn.Module, image: Tensor, setting: Setting, name: str
) -> Callable[[], Any]:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    dtype = DTYPES[setting.dtype]
    run: Callable[[Tensor], Any] = model
    unknown = name == 'fast' and not fast_parts(accelerate(model, training=True))
    if name == 'compiled' or unknown:
        run = torch.compile(model)

    def step() -> None:
        with torch.autocast(image.device.type, dtype, enabled=dtype != torch.float32):
            out = run(image)
            out = out[0] if isinstance(out, tuple) else out
            loss = out.float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _run_of(exported: Exported, image: Tensor) -> Callable[[], Any]:
    pixels = image.cpu()
    if exported.end_to_end:
        pixels = pixels.permute(0, 2, 3, 1).to(torch.uint8).contiguous()
    array = pixels.numpy()
    return lambda: exported(array)


def _file(name: str) -> Exported:
    runtime, _, file = name.partition(':')
    return load_exported(file, runtime) if runtime in RUNTIMES else load_exported(name)
