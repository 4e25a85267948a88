"""How many channels the pictures of a network have, and in which order its host takes them."""

from inspect import signature
from typing import Any

from torch import nn


def input_channels(backbone: nn.Module | None) -> int | None:
    """Return the ``in_channels`` that a backbone was built with, None where it has none.

    An attribute of that name is not enough: MobileNetV2, EfficientNet, ShuffleNet and VGG of the
    hosts count up ``self.in_channels`` while they build, and end with that of the last layer.
    """
    channels = getattr(backbone, 'in_channels', None)
    if not isinstance(channels, int):
        return None
    classes = type(backbone).__mro__
    return channels if any('in_channels' in signature(cls).parameters for cls in classes) else None


def swaps_colours(preprocessor: Any) -> bool:
    """Tell whether a host's data preprocessor turns BGR into RGB, or the other way round."""
    # each of the hosts has its own name for it
    names = ('_channel_conversion', 'channel_conversion', 'to_rgb')
    return any(getattr(preprocessor, name, False) for name in names)
