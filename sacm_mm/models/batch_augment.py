"""Augmentation of whole batches, on the device that trains.

It takes the place of the hosts' RandomResize, RandomCrop, RandomFlip, PhotoMetricDistortion and
RandomErasing, which work picture by picture on the CPU and take longer than a small network takes
on a GPU.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.registry import MODELS

_MAPS = ('gt_sem_seg', 'gt_depth_map')
_LUMA = (0.299, 0.587, 0.114)


@MODELS.register_module()
class BatchAugment(nn.Module):
    """Draw a random window of each picture, and change its colours.

    Pictures (N, 3, H, W), RGB 0..255, and samples with ``gt_sem_seg`` or ``gt_depth_map``
    (1, H, W) -> pictures (N, 3, *crop_size) and samples to match. Windows reach over the border
    where the zoomed picture is smaller: there pixels are the mean colour, labels are ignored and
    depth is invalid. Depth is divided by the zoom: what is nearer is larger.

    Args:
        crop_size: Height and width of the windows, pixels.
        zoom: Least and greatest factor of size; drawn evenly in the logarithm.
        stretch: Greatest factor between the zooms of the two sides, to either side of 1.
        degree: Greatest angle of rotation to either side, degrees.
        flip: Probability of the mirror image.
        brightness: Greatest shift of all channels, of 255.
        contrast: Contrast is multiplied by 1 - this to 1 + this.
        saturation: Saturation likewise.
        hue: Greatest rotation of the hue to either side, degrees.
        colour: Probability of each of these four changes.
        grey: Probability of a picture without colours.
        noise: Greatest standard deviation of the noise of the pixels, of 255.
        mix: Probability that half of the classes of another picture of the batch are pasted in.
        erase: Probability of a rectangle of the mean colour, of sides between 0.15 and 0.6 of the
            window's. Labels and depth stay.

    Raises:
        UserError: In ``forward``, pictures are not RGB of 8 bits, or samples hold a map that is not
            known here.

    Source: of ``mix``, Olsson et al., "ClassMix", WACV 2021, there for pictures without labels.
    """

    _eye: Tensor
    _luma: Tensor
    _about_grey: Tensor

    def __init__(
        self,
        crop_size: Sequence[int],
        zoom: Sequence[float] = (1.0, 1.0),
        stretch: float = 1.0,
        degree: float = 0.0,
        flip: float = 0.5,
        brightness: float = 0.125,
        contrast: float = 0.5,
        saturation: float = 0.5,
        hue: float = 25.0,
        colour: float = 0.5,
        grey: float = 0.0,
        noise: float = 0.0,
        mix: float = 0.0,
        erase: float = 0.0,
    ) -> None:
        super().__init__()
        self.crop_size = tuple(crop_size)
        self.zoom, self.stretch, self.degree, self.flip = tuple(zoom), stretch, degree, flip
        self.brightness, self.contrast = brightness, contrast
        self.saturation, self.hue = saturation, hue
        self.colour, self.grey, self.noise = colour, grey, noise
        self.mix, self.erase = mix, erase
        about_grey = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
        self.register_buffer('_eye', torch.eye(3), persistent=False)
        self.register_buffer('_luma', torch.tensor(_LUMA).expand(3, 3), persistent=False)
        self.register_buffer('_about_grey', about_grey, persistent=False)

    def forward(self, pictures: Tensor, samples: list, fill: Tensor) -> Tensor:
        """Augment pictures; the truth of the samples is replaced. ``fill`` (C, 1, 1) is outside."""
        if pictures.dtype != torch.uint8 or pictures.shape[1] != 3:
            raise UserError(
                f'BatchAugment takes RGB pictures of 8 bits, but these have {pictures.shape[1]} '
                f'channels of {pictures.dtype}: augment them in the pipeline'
            )
        maps = {key for key, value in samples[0].items() if isinstance(value, PixelData)}
        if maps - set(_MAPS):
            raise UserError(
                f'BatchAugment leaves {sorted(maps - set(_MAPS))[0]} of the samples as it is, '
                'which would not fit the pictures: augment in the pipeline'
            )
        pictures = pictures.float()
        with torch.autocast(pictures.device.type, enabled=False):
            return self._augmented(pictures, samples, fill)

    def _augmented(self, pictures: Tensor, samples: list, fill: Tensor) -> Tensor:
        grid, zoom = self._windows(pictures)
        pictures = F.grid_sample(pictures - fill, grid, align_corners=False) + fill
        pictures = self._coloured(pictures)
        if self.erase:
            pictures = torch.where(self._erased(pictures), fill, pictures)
        labels = _stacked(samples, 'gt_sem_seg')
        if labels is not None:
            # 0 is outside; 255 + 1 and all labels are exact in float32
            labels = _nearest(labels.float() + 1, grid)
            labels = torch.where(labels == 0, IGNORE_INDEX, labels - 1).long()
        depth = _stacked(samples, 'gt_depth_map')
        if depth is not None:
            depth = _nearest(depth.float(), grid) / zoom.view(-1, 1, 1, 1)
        if self.mix and labels is not None:
            paste = self._pasted(labels)
            pictures = torch.where(paste, pictures.roll(1, 0), pictures)
            labels = torch.where(paste, labels.roll(1, 0), labels)
            if depth is not None:
                depth = torch.where(paste, depth.roll(1, 0), depth)
        for i, sample in enumerate(samples):
            if labels is not None:
                sample.gt_sem_seg = PixelData(data=labels[i])
            if depth is not None:
                sample.gt_depth_map = PixelData(data=depth[i])
            sample.set_metainfo({'img_shape': self.crop_size})
        return pictures

    def _windows(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Draw where each pixel of the windows is taken from, and the zooms."""
        n, _, h, w = pictures.shape
        rows, columns = self.crop_size

        def drawn(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, device=pictures.device)

        zoom = drawn(*map(math.log, self.zoom)).exp()
        stretch = drawn(-math.log(self.stretch) / 2, math.log(self.stretch) / 2).exp()
        angle = drawn(-math.radians(self.degree), math.radians(self.degree))
        mirror = torch.where(drawn(0, 1) < self.flip, -1.0, 1.0)
        # sizes of the windows in the picture, as shares of its own
        height, width = rows / (h * zoom * stretch), columns / (w * zoom / stretch)
        # the window lies in the picture where it fits, else the picture in the window
        y, x = drawn(-1, 1) * (1 - height).abs(), drawn(-1, 1) * (1 - width).abs()
        cos, sin = angle.cos(), angle.sin()
        theta = torch.stack(
            [
                torch.stack([cos * width * mirror, -sin * height * (h / w), x], 1),
                torch.stack([sin * width * mirror * (w / h), cos * height, y], 1),
            ],
            1,
        )  # (N, 2, 3)
        grid = F.affine_grid(theta, [n, 1, rows, columns], align_corners=False)
        return grid, zoom

    def _coloured(self, pictures: Tensor) -> Tensor:
        """Apply brightness, contrast, saturation and hue: together one matrix of the colours."""
        n, device = len(pictures), pictures.device

        def drawn(reach: float, middle: float = 0.0) -> Tensor:
            change = reach * (2 * torch.rand(n, 1, 1, device=device) - 1)
            on = torch.rand(n, 1, 1, device=device) < self.colour
            return middle + torch.where(on, change, 0.0)

        eye, luma, k = self._eye, self._luma, self._about_grey
        angle = drawn(math.radians(self.hue))
        turn = eye + angle.sin() * k + (1 - angle.cos()) * (k @ k)  # Rodrigues' formula
        saturation = drawn(self.saturation, 1.0)
        saturation = torch.where(torch.rand(n, 1, 1, device=device) < self.grey, 0.0, saturation)
        matrix = drawn(self.contrast, 1.0) * ((eye - luma) * saturation + luma) @ turn
        shift = 255 * drawn(self.brightness)
        flat = torch.baddbmm(shift, matrix, pictures.flatten(2))
        if self.noise:
            deviation = 255 * self.noise * torch.rand(n, 1, 1, device=device)
            flat = flat + deviation * torch.randn_like(flat)
        return flat.clamp(0, 255).view_as(pictures)

    def _erased(self, pictures: Tensor) -> Tensor:
        """Choose rectangles (N, 1, H, W) of the windows."""
        n, device = len(pictures), pictures.device

        def within(size: int) -> Tensor:
            side = 0.15 + 0.45 * torch.rand(n, 1, device=device)
            start = (1 - side) * torch.rand(n, 1, device=device)
            place = (torch.arange(size, device=device) + 0.5) / size
            return (start <= place) & (place < start + side)

        rows, columns = within(self.crop_size[0]), within(self.crop_size[1])
        on = torch.rand(n, 1, 1, 1, device=device) < self.erase
        return on & rows.view(n, 1, -1, 1) & columns.view(n, 1, 1, -1)

    def _pasted(self, labels: Tensor) -> Tensor:
        """Choose the pixels (N, 1, H, W) that come from the picture before."""
        n = len(labels)
        chosen = torch.rand(n, 256, device=labels.device) < 0.5
        chosen &= torch.rand(n, 1, device=labels.device) < self.mix
        chosen[:, IGNORE_INDEX] = False
        return chosen.gather(1, labels.roll(1, 0).flatten(1)).view_as(labels)


def _stacked(samples: list, key: str) -> Tensor | None:
    if key not in samples[0]:
        return None
    maps = [sample.get(key).data for sample in samples]
    return torch.stack([m if m.dim() == 3 else m[None] for m in maps])


def _nearest(maps: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(maps, grid, mode='nearest', align_corners=False)
