"""Load and vary pictures of any number of channels and bits."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from sacm_mm.core.errors import UserError
from sacm_mm.registry import TRANSFORMS

from .picture_files import check_numbers, read_picture, to_channels


@TRANSFORMS.register_module()
class LoadPicture(BaseTransform):
    """Load a picture (H, W, C) with all its channels and bits, upright, channels as in the file.

    8 bits stay uint8; 16 bits become float32 of the same values, which the hosts' transforms take.
    One channel is (H, W, 1). Where the sample has ``img`` already, as in inference, it is taken.

    Args:
        channels: Those that the network takes; grey becomes colour, and alpha is dropped.
        dtype: Numbers of the files, such as ``'uint16'``: a network makes nothing of others, which
            lie in another range. None takes all.

    Raises:
        UserError: The file is missing or damaged, has other channels or numbers, or holds nan or
            infinity; the message names it.
    """

    def __init__(self, channels: int = 3, dtype: str | None = None) -> None:
        self.channels = channels
        self.dtype = dtype

    def transform(self, results: dict) -> dict:
        path = results.get('img_path', '')
        picture = results['img'] if 'img' in results else read_picture(path)
        if picture.ndim == 2:
            picture = picture[..., None]
        try:
            picture = to_channels(picture, self.channels)
        except UserError as error:
            raise UserError(f"picture '{path}': {error}") from error
        check_numbers(picture, self.dtype, f"picture '{path}'")
        if picture.dtype != np.uint8:
            picture = picture.astype(np.float32)
        results['img'] = np.ascontiguousarray(picture)
        results['img_shape'] = results['ori_shape'] = picture.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(channels={self.channels}, dtype={self.dtype})'


@TRANSFORMS.register_module()
class RandomExposure(BaseTransform):
    """Multiply all channels by a random gain, and each by one of its own close to it.

    It stands in for ``PhotoMetricDistortion``, which takes three channels of 8 bits alone.

    Args:
        gain: Least and greatest gain of the picture.
        channel_gain: Least and greatest gain of a channel.
    """

    def __init__(
        self,
        gain: Sequence[float] = (0.75, 1.33),
        channel_gain: Sequence[float] = (0.95, 1.05),
    ) -> None:
        self.gain = gain[0], gain[1]
        self.channel_gain = channel_gain[0], channel_gain[1]

    def transform(self, results: dict) -> dict:
        """Change ``img``; 8 bits stay 8 bits."""
        picture = results['img']
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        own = np.random.uniform(*self.channel_gain, size=channels)
        gains = np.random.uniform(*self.gain) * own
        changed = picture.astype(np.float32) * (gains if picture.ndim == 3 else gains[0])
        if picture.dtype == np.uint8:
            changed = np.clip(np.rint(changed), 0, 255)
        results['img'] = changed.astype(picture.dtype)
        return results
