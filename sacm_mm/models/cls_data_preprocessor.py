"""The host's preprocessor for classification, with augmentation of whole batches."""

import torch
from mmpretrain.models import ClsDataPreprocessor as MMPretrainClsDataPreprocessor

from sacm_mm.registry import MODELS


@MODELS.register_module()
class ClsDataPreprocessor(MMPretrainClsDataPreprocessor):
    """Normalize and batch pictures; in training augment them first.

    Args:
        augment: Augmentation of batches in training, such as ``BatchAugment``'s config. It takes
            pictures (C, H, W) of one size.
        **kwargs: ``mmpretrain.ClsDataPreprocessor``'s; with ``augment``, ``mean`` and ``std``.
    """

    def __init__(self, augment: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.augment = MODELS.build(augment) if augment else None

    def forward(self, data: dict, training: bool = False) -> dict:
        if self.augment is None or not training:
            return super().forward(data, training)
        data = self.cast_data(data)
        inputs = data['inputs']
        inputs = inputs if isinstance(inputs, torch.Tensor) else torch.stack(inputs)
        # augmented as RGB; the host turns BGR itself, later
        inputs = inputs.flip(1) if self.to_rgb else inputs
        inputs = self.augment(inputs, data['data_samples'], self.mean)
        return super().forward({**data, 'inputs': inputs.flip(1) if self.to_rgb else inputs}, True)
