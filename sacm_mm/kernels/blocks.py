"""A mixer block and a stem that compute by kernels what these know, and the rest as before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sacm_mm.kernels.cpu import native, training
from sacm_mm.kernels.recognition import has_known_parts, is_identity, recognise, watched
from sacm_mm.models.backbones.sa_convmixer import MixerBlock, PatchEmbed


class FastMixerBlock(MixerBlock):
    """A ``MixerBlock`` by kernels: (N, C, H, W) -> (N, C, H, W). ``with_kernels`` makes it."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix; each half by a kernel where there is one that computes the same."""
        if watched():
            return super().forward(x)
        half = recognise(self.depthwise, self.act, self.norm1)
        added = is_identity(self.squeeze) and is_identity(self.drop_path)
        if half and training.takes(x, half):
            mixed = training.mix(x, half, residual=added)
            x = mixed if added else x + self.drop_path(self.squeeze(mixed))
        else:
            x = x + self.drop_path(self.squeeze(self.norm1(self.act(self.depthwise(x)))))
        half = recognise(self.pointwise, self.act, self.norm2)
        if half and training.takes(x, half):
            return training.project(x, half)
        return self.norm2(self.act(self.pointwise(x)))


class FastPatchEmbed(PatchEmbed):
    """A ``PatchEmbed`` by kernels: (N, in_channels, H, W) -> (N, embed_dims, ceil(H/r), ceil(W/r)).

    ``with_kernels`` makes it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Embed; see the class."""
        if watched():
            return super().forward(x)
        half = recognise(self.proj, self.act, self.norm)
        x = self.patches(x)
        if half and training.takes(x, half):
            return training.project(x, half)
        return self.norm(self.act(self.proj(x)))


def with_kernels(module: nn.Module, device: torch.device) -> nn.Module | None:
    """Return a block or stem by kernels, where they know something of it, else None.

    It is another module around the same parts: parameters, names, hooks and state dict stay.
    """
    if device.type != 'cpu' or not native.available('training'):
        return None
    part: Any = module
    if type(part) is MixerBlock and has_known_parts(part, MixerBlock):
        found = (
            recognise(part.depthwise, part.act, part.norm1),
            recognise(part.pointwise, part.act, part.norm2),
        )
        if any(half and training.knows(half) for half in found):
            return _recast(part, FastMixerBlock)
    if type(part) is PatchEmbed and has_known_parts(part, PatchEmbed):
        half = recognise(part.proj, part.act, part.norm)
        if half and training.knows(half):
            return _recast(part, FastPatchEmbed)
    return None


def is_fast(module: nn.Module) -> bool:
    """Tell whether ``with_kernels`` made a module."""
    return type(module) in (FastMixerBlock, FastPatchEmbed)


def _recast(module: nn.Module, kind: type[nn.Module]) -> nn.Module:
    fast = kind.__new__(kind)
    fast.__dict__.update(module.__dict__)
    return fast
