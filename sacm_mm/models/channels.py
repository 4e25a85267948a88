"""How many channels a backbone's pictures have."""

from inspect import signature

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
