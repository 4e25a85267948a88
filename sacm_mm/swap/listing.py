"""What there is to swap in, with sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sacm_mm.core.errors import UserError
from sacm_mm.swap.maps import offered
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
            yield describe(name)


def describe(name: str) -> BackboneInfo:
    """Describe one backbone, which may be timm's."""
    try:
        maps, model = offered(find_backbone(name))
    except UserError as error:
        return BackboneInfo(name, refused=str(error))
    parameters = sum(p.numel() for p in model.parameters())
    return BackboneInfo(name, parameters, maps.strides, maps.channels)
