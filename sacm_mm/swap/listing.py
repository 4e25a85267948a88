"""What there is to swap in, with sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sacm_mm.core.errors import UserError
from sacm_mm.swap.feature_info import feature_info
from sacm_mm.swap.names import backbone_names, find_backbone


@dataclass(frozen=True)
class BackboneInfo:
    """A backbone by name; ``refused`` says why it cannot be swapped in."""

    name: str
    parameters: int = 0
    strides: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    refused: str = ''


def list_backbones(pattern: str = '*') -> Iterator[BackboneInfo]:
    """Describe every named backbone that matches a shell pattern, without making its weights."""
    for name in backbone_names():
        if fnmatchcase(name, pattern):
            yield backbone_info(name)


def backbone_info(name: str) -> BackboneInfo:
    """Describe one backbone, which may be timm's."""
    try:
        maps, model = feature_info(find_backbone(name))
    except UserError as error:
        return BackboneInfo(name, refused=str(error))
    parameters = sum(p.numel() for p in model.parameters())
    return BackboneInfo(name, parameters, maps.strides, maps.channels)
