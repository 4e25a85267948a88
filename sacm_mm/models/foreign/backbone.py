"""Any network as a backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule, initialize
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.foreign.code import TORCHVISION, build_network
from sacm_mm.models.foreign.layouts import LAYOUTS, tensors_of, to_map
from sacm_mm.registry import MODELS


@MODELS.register_module()
class ForeignBackbone(BaseModule):
    """Make a network of other people's code, as it is, hand on a tuple of maps.

    (N, 3, H, W) -> for each i (N, out_channels[i], ceil(H / s), ceil(W / s)), s = out_strides[i]

    ``tools/swap_backbone.py`` finds all of the arguments out by running the network. The network is
    at ``network``, with its own parameter names; its constructor sets its weights, or
    ``init_cfg=dict(type='Pretrained', checkpoint=...)`` loads them.

    Args:
        network: Its ``type``, such as ``'my_net:MyNet'``, and its arguments, see ``build_network``.
        out_channels: Channels of each map.
        out_strides: Of each map, in pixels.
        out_indices: Which tensors are the maps, counted through the lists, tuples and dicts that
            the network returns, or that ``layers`` return.
        layers: Names of modules in the network whose outputs are taken instead of its own.
        layouts: How each map is laid out, one of ``LAYOUTS``, or one for all.
        extra_tokens: Tokens in front of a map's: of a class, or registers.
        size_divisor: Of what height and width must be a multiple; images are padded at the bottom
            and at the right with zeros, the mean colour, and maps are cropped.
        square: Images are padded to squares.
        image_size: Height and width of the only images that it takes; smaller ones are padded.
        python_path: Folders from which its code is imported.
        imports: Modules that register its type.
        init_cfg: mmengine's, for ``network``.

    Raises:
        UserError: There is no such network or layer, the lists differ in length, or an image is
            larger than ``image_size``.
    """

    def __init__(
        self,
        network: Mapping,
        out_channels: Sequence[int],
        out_strides: Sequence[int],
        out_indices: Sequence[int],
        layers: Sequence[str] = (),
        layouts: str | Sequence[str] = 'NCHW',
        extra_tokens: int = 0,
        size_divisor: int = 1,
        square: bool = False,
        image_size: Sequence[int] | None = None,
        python_path: Sequence[str] = (),
        imports: Sequence[str] = (),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        count = len(out_indices)
        self.layouts = (layouts,) * count if isinstance(layouts, str) else tuple(layouts)
        if not count == len(out_channels) == len(out_strides) == len(self.layouts):
            raise UserError(
                'out_indices, out_channels, out_strides and layouts have one entry a map, but got '
                f'{count}, {len(out_channels)}, {len(out_strides)} and {len(self.layouts)}'
            )
        wrong = [layout for layout in self.layouts if layout not in LAYOUTS]
        if wrong:
            raise UserError(f"unknown layout '{wrong[0]}': choose from {', '.join(LAYOUTS)}")
        self.out_channels, self.out_strides = tuple(out_channels), tuple(out_strides)
        self.out_indices, self.extra_tokens = tuple(out_indices), extra_tokens
        self.size_divisor, self.square = size_divisor, square
        self.image_size = tuple(image_size) if image_size else None
        self.network = build_network(network, python_path, imports)
        self.tapped = Tapped(self.network, layers)
        if layers and str(network['type']).startswith(f'{TORCHVISION}:'):
            from torchvision.models.feature_extraction import create_feature_extractor

            # cut down to what its layers need
            self.network = create_feature_extractor(self.network, list(layers))
            self.tapped = Tapped(self.network, ())

    def init_weights(self) -> None:
        """Load what ``init_cfg`` names; networks of the hosts are left to initialise themselves."""
        if isinstance(self.network, BaseModule):
            self.network.init_weights()
        if self.init_cfg:
            initialize(self.network, self.init_cfg)
        self._is_init = True

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        height, width = x.shape[2:]
        x = self._pad(x)
        tensors = [*tensors_of(self.tapped(self.network, x))]
        maps = []
        for i, layout, stride in zip(self.out_indices, self.layouts, self.out_strides):
            rows, columns = x.shape[2] // stride, x.shape[3] // stride
            y = to_map(tensors[i], layout, rows, columns, self.extra_tokens)
            if x.shape[2] > height or x.shape[3] > width:
                y = y[:, :, : -(-height // stride), : -(-width // stride)]
            maps.append(y)
        return tuple(maps)

    def _pad(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if self.image_size is not None:
            rows, columns = self.image_size
            if height > rows or width > columns:
                raise UserError(
                    f'the network takes images of {rows}x{columns} only, but got {height}x{width}: '
                    'crop to that size, and test in windows (test_cfg mode slide)'
                )
        else:
            rows = -(-height // self.size_divisor) * self.size_divisor
            columns = -(-width // self.size_divisor) * self.size_divisor
            if self.square:
                rows = columns = max(rows, columns)
        if (rows, columns) == (height, width):
            return x
        return F.pad(x, (0, columns - width, 0, rows - height))


class Tapped:
    """Run a network for what it returns, or for the outputs of modules in it."""

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        known = dict(network.named_modules())
        for layer in layers:
            if layer not in known:
                near = [name for name in known if '.' not in name and name]
                raise UserError(
                    f"{type(network).__name__} has no layer '{layer}': it has {', '.join(near)}"
                )
        self.layers = tuple(layers)

    def __call__(self, network: nn.Module, x: Tensor) -> Any:
        if not self.layers:
            return network(x)
        found: dict[str, Any] = {}
        # hooks for one call, so that a copy of the backbone taps its own network
        handles = [
            network.get_submodule(layer).register_forward_hook(
                lambda _, __, output, layer=layer: found.update({layer: output})
            )
            for layer in self.layers
        ]
        try:
            network(x)
        finally:
            for handle in handles:
                handle.remove()
        missing = [layer for layer in self.layers if layer not in found]
        if missing:
            raise UserError(f'{type(network).__name__} does not run its layer {missing[0]}')
        return [found[layer] for layer in self.layers]
