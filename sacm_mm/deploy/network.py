"""A host's model as one function of tensors, which is what export and other runtimes take."""

from collections.abc import Iterable
from typing import Any

import torch
from mmseg.models.utils import resize
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.heads.pixel_shuffle_base import PixelShuffleBase
from sacm_mm.models.heads.pixel_shuffle_depth_head import PixelShuffleDepthHead
from sacm_mm.models.task import depth_head_of


class Network(nn.Module):
    """A segmentor, depth estimator, joint estimator or classifier from image to named outputs.

    Plain: normalized images (N, 3, H, W), float32 -> ``logits`` (N, classes, H, W) or (N, classes),
    ``depth`` (N, 1, H, W) in metres, ``depth_scale`` (N, 1, H, W) in metres; what the model has of
    these. End to end: images (N, H, W, 3), uint8, in the model's order of colours -> ``classes``
    (N, H, W), uint8 (int32 of more than 256), or ``scores`` (N, classes), and the depths as above.

    One forward pass of the whole image at its own size: no sliding, flipping or resizing.

    Args:
        model: The host's model.
        end_to_end: Normalize the image and decide the class inside.

    Raises:
        UserError: The model is of another kind.
    """

    model: Any
    mean: Tensor | float
    std: Tensor | float

    def __init__(self, model: nn.Module, end_to_end: bool = False) -> None:
        super().__init__()
        if not hasattr(model, 'decode_head') and not hasattr(model, 'head'):
            raise UserError(
                f'{type(model).__name__} cannot be exported: it is no segmentor, depth estimator '
                'or classifier'
            )
        if isinstance(getattr(model, 'decode_head', None), nn.ModuleList):
            raise UserError(f'{type(model).__name__} cannot be exported: it has heads in a row')
        self.model = model
        self.end_to_end = end_to_end
        self._covering: dict[str, bool] = {}
        preprocessor = self.model.data_preprocessor
        if end_to_end and preprocessor._enable_normalize:
            self.register_buffer('mean', preprocessor.mean.clone())
            self.register_buffer('std', preprocessor.std.clone())
        else:
            self.mean, self.std = 0.0, 1.0

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Predict; see the class."""
        if self.end_to_end:
            image = (image.permute(0, 3, 1, 2).float() - self.mean) / self.std
        outputs = self._classify(image) if hasattr(self.model, 'head') else self._dense(image)
        return self.decided(outputs) if self.end_to_end else outputs

    def _classify(self, image: Tensor) -> dict[str, Tensor]:
        return {'logits': self.model.head(self.model.extract_feat(image))}

    def _dense(self, image: Tensor) -> dict[str, Tensor]:
        maps = self.model.extract_feat(image)
        outputs = {}
        for name, head in self._heads():
            out = self._at_size(name, head, head(maps), image)
            if not self.is_depth(name):
                outputs['logits'] = out
                continue
            outputs['depth'] = out[:, :1]
            if isinstance(head, PixelShuffleDepthHead) and head.uncertainty is not None:
                outputs['depth_scale'] = out[:, 1:].exp()
        return outputs

    def _heads(self) -> list[tuple[str, nn.Module]]:
        heads = [(name, getattr(self.model, name, None)) for name in ('decode_head', 'depth_head')]
        return [(name, head) for name, head in heads if head is not None]

    def is_depth(self, name: str) -> bool:
        """Tell whether the model's head of that name predicts depth."""
        return getattr(self.model, name) is depth_head_of(self.model)

    def settle(self, images: Iterable[Tensor]) -> None:
        """Decide for good whether maps are cropped to the image, for a trace cannot ask again.

        Args:
            images: As ``forward`` takes them when it is not end to end, of several sizes.
        """
        heads = [(name, head) for name, head in self._heads() if isinstance(head, PixelShuffleBase)]
        if not heads:
            return
        for image in images:
            maps = self.model.extract_feat(image)
            for name, head in heads:
                covers = head.covers(head(maps), image.shape[2:])
                self._covering[name] = covers and self._covering.get(name, True)

    def _at_size(self, name: str, head: Any, maps: Tensor, image: Tensor) -> Tensor:
        """Bring maps to the image's size: crop what padding to the patch added, or interpolate."""
        size = image.shape[2:]
        if isinstance(head, PixelShuffleBase):
            if name not in self._covering:
                return head.at_size(maps, size)
            if self._covering[name]:
                return maps[:, :, : size[0], : size[1]]
        return resize(maps, size, mode='bilinear', align_corners=head.align_corners)

    def decided(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Turn logits into what they decide: ``classes`` of pixels or ``scores`` of images."""
        logits = outputs.pop('logits', None)
        if logits is None:
            return outputs
        if logits.ndim == 2:
            return {'scores': logits.softmax(1)}
        if logits.shape[1] == 1:
            classes = logits[:, 0].sigmoid() > self.model.decode_head.threshold
        else:
            classes = logits.argmax(1)
        few = logits.shape[1] <= 256
        return {'classes': classes.to(torch.uint8 if few else torch.int32), **outputs}
