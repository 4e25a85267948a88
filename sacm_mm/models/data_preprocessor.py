"""The host's preprocessor for dense tasks, for any number of channels."""

from collections.abc import Sequence

import torch
from mmseg.models import SegDataPreProcessor as MMSegDataPreProcessor

from sacm_mm.core.errors import UserError
from sacm_mm.registry import MODELS


@MODELS.register_module()
class SegDataPreProcessor(MMSegDataPreProcessor):
    """Normalize and batch pictures (C, H, W) of any C; the host's takes one or three channels.

    Args:
        mean: Of each channel, or one for all.
        std: Of each channel, or one for all.
        augment: Augmentation of batches in training, such as ``BatchAugment``'s config. It takes
            pictures of one size.
        **kwargs: ``mmseg.SegDataPreProcessor``'s.

    Raises:
        UserError: ``mean`` and ``std`` have different lengths.
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], augment: dict | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if len(mean) != len(std):
            raise UserError(
                f'data_preprocessor has {len(mean)} values of mean and {len(std)} of std: give '
                'one for each channel'
            )
        self._enable_normalize = True
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)
        self.augment = MODELS.build(augment) if augment else None

    def forward(self, data: dict, training: bool = False) -> dict:
        if self.augment is None or not training:
            return super().forward(data, training)
        data = self.cast_data(data)
        pictures, samples = list(data['inputs']), data['data_samples']
        if len({picture.shape for picture in pictures}) > 1:
            raise UserError(
                'data_preprocessor.augment takes pictures of one size: add a Resize with '
                'keep_ratio=False to the pipeline of the training data'
            )
        inputs = torch.stack(pictures)
        if self._channel_conversion and inputs.shape[1] == 3:
            inputs = inputs[:, [2, 1, 0]]
        inputs = self.augment(inputs, samples, self.mean)
        return {'inputs': (inputs - self.mean) / self.std, 'data_samples': samples}
