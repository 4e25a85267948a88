"""What the heads of SA-ConvMixer share: one 1x1 convolution and a pixel shuffle."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.defaults import BATCH_NORM, GELU


class PixelShuffleBase(BaseDecodeHead):
    """Predict r x r pixels from every token.

    Maps (N, C_i, h, w) of ``in_index``, concatenated -> (N, out_channels, h * r, w * r); what
    padding to the patch added is cropped. With a map whose h * r is smaller than the image (a
    backbone of a larger stride), the host's interpolation fills in.

    Source: section 3.3. The authors' code puts GELU and batch norm between the convolution and the
    shuffle, the paper's figure does not; ``act_norm`` chooses. Concatenating several blocks is the
    ADE20K setting.

    Args:
        in_channels: Channels of the map, or of each map in ``in_index``.
        upscale_factor: Factor r of the pixel shuffle, the backbone's patch size.
        num_classes: Classes; a depth head has its output channels here.
        act_norm: Put ``act_cfg`` and ``norm_cfg`` before the shuffle, as the authors' weights need.
        in_index: Which of the backbone's maps; several are concatenated.
        dropout_ratio: Dropout of whole channels before the convolution.
        norm_cfg: Norm layer, with ``act_norm``.
        act_cfg: Activation, with ``act_norm``.
        **kwargs: ``mmseg.BaseDecodeHead``'s: losses, sampler, ``ignore_index``, ``threshold``, ...

    Raises:
        UserError: In ``forward``, the maps do not have ``in_channels``.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        upscale_factor: int,
        num_classes: int,
        act_norm: bool = False,
        in_index: int | Sequence[int] = -1,
        dropout_ratio: float = 0.0,
        norm_cfg: Mapping = BATCH_NORM,
        act_cfg: Mapping = GELU,
        **kwargs,
    ) -> None:
        several = not isinstance(in_index, int)
        total = sum(in_channels) if isinstance(in_channels, Sequence) else in_channels
        super().__init__(
            in_channels,
            channels=total,
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            norm_cfg=dict(norm_cfg),
            act_cfg=dict(act_cfg),
            in_index=in_index,
            input_transform='resize_concat' if several else None,
            **kwargs,
        )
        self.upscale_factor = upscale_factor
        channels = self.out_channels * upscale_factor**2
        # The host's classifier, with one output for every pixel of the patch.
        self.conv_seg = nn.Conv2d(total, channels, kernel_size=1)
        self.act_norm = nn.Sequential()
        if act_norm:
            self.act_norm.append(build_activation_layer(self.act_cfg))
            self.act_norm.append(build_norm_layer(self.norm_cfg, channels)[1])

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        x = self._transform_inputs(inputs)
        return F.pixel_shuffle(self.act_norm(self.cls_seg(x)), self.upscale_factor)

    def _transform_inputs(self, inputs: Sequence[Tensor]) -> Tensor:
        self._check_channels(inputs)
        if self.input_transform == 'resize_concat':
            maps = [inputs[i] for i in self.in_index]
            # Blocks of an isotropic backbone agree in size: the host would interpolate them all.
            if all(x.shape[2:] == maps[0].shape[2:] for x in maps):
                return torch.cat(maps, dim=1)
        return super()._transform_inputs(inputs)

    def _check_channels(self, inputs: Sequence[Tensor]) -> None:
        indices = (self.in_index,) if isinstance(self.in_index, int) else tuple(self.in_index)
        if any(not -len(inputs) <= i < len(inputs) for i in indices):
            raise UserError(
                f'in_index={self.in_index} asks for more maps than the {len(inputs)} that the '
                'backbone gives: set its out_indices'
            )
        found = [inputs[i].shape[1] for i in indices]
        if sum(found) != self.in_channels:
            raise UserError(
                f'the head has in_channels={self.in_channels}, but the maps of '
                f'in_index={self.in_index} have {found} channels: set in_channels to match'
            )

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Crop the maps to the network's input -> (N, out_channels, H, W)."""
        meta = batch_img_metas[0]
        size = meta['img_shape']
        # The host's own rule: a torch.Size marks a window of slide inference.
        if not isinstance(size, torch.Size):
            size = meta.get('pad_shape', size)
        return self.at_size(seg_logits, size[:2])

    def _sum_losses(self, compute: Callable[[nn.Module], Tensor]) -> dict[str, Tensor]:
        """Add up what ``compute`` gives for each of the losses, by their names."""
        several = isinstance(self.loss_decode, nn.ModuleList)
        losses: dict[str, Tensor] = {}
        for part in self.loss_decode if several else [self.loss_decode]:
            losses[part.loss_name] = losses.get(part.loss_name, 0) + compute(part)
        return losses

    def at_size(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Crop what padding to the patch added, on the right and below; interpolate other maps."""
        if self.covers(maps, size):
            return maps[:, :, : size[0], : size[1]]
        return resize(maps, size, mode='bilinear', align_corners=self.align_corners)

    def covers(self, maps: Tensor, size: Sequence[int]) -> bool:
        """Tell whether maps are larger than a size by less than one patch, which is cropped."""
        excess = (maps.shape[2] - size[0], maps.shape[3] - size[1])
        return all(0 <= e < self.upscale_factor for e in excess)
