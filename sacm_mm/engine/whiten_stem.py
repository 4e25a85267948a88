"""Start a stem from what images are made of."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class WhitenStemHook(Hook):
    """Let the patch embedding of an ``SAConvMixer`` start by whitening the training images.

    Each channel starts as a direction in which patches vary, scaled to unit variance: first all
    principal directions and their negatives, then random mixtures of them. A run that resumes or
    starts from weights keeps those.

    Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, section 3.2. There the
    filters are frozen; here they go on learning.

    Args:
        images: Training images, augmented as in training, that are looked at.

    Raises:
        UserError: The model has no backbone with such a stem.
    """

    def __init__(self, images: int = 2000) -> None:
        self.images = images

    def before_train(self, runner: Runner) -> None:
        """Set the projection's weight and bias."""
        if runner.iter or getattr(runner, 'is_trained', runner._load_from is not None):
            return
        model = unwrapped(runner.model)
        stem: Any = getattr(getattr(model, 'backbone', None), 'stem', None)
        if not hasattr(stem, 'proj') or not hasattr(stem, 'patch_size'):
            raise UserError(
                'WhitenStemHook needs the stem of a sacm_mm.SAConvMixer: take the hook out'
            )
        data = runner.train_dataloader.dataset
        count = min(self.images, len(data))
        places = torch.linspace(0, len(data) - 1, count).long().tolist()
        inputs = torch.stack([data[i]['inputs'] for i in places])
        x = model.data_preprocessor(dict(inputs=inputs))['inputs'].float()
        weight, bias = whitening(x, stem.patch_size, stem.proj.out_channels)
        for values in (weight, bias):  # each process has drawn its own
            broadcast(values)
        with torch.no_grad():
            stem.proj.weight.copy_(weight.view_as(stem.proj.weight))
            stem.proj.bias.copy_(bias)
        print_log(f'The stem starts by whitening {count} images', logger='current')


def whitening(images: Tensor, patch_size: int, channels: int) -> tuple[Tensor, Tensor]:
    """Return weight (channels, C * r * r) and bias (channels,) that whiten patches of r x r.

    Args:
        images: (N, C, H, W), as the network sees them.
        patch_size: r.
        channels: Directions wanted; beyond the principal ones they are mixtures of those, drawn.
    """
    patches = F.pixel_unshuffle(images, patch_size)  # (N, C * r * r, H / r, W / r)
    rows = patches.permute(0, 2, 3, 1).flatten(0, 2).double()  # one a patch
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(rows.T))
    # the smallest directions are noise: without the sum they would be blown up
    white = vectors.T.flip(0) / (values.flip(0).clamp(min=0)[:, None] + 5e-4).sqrt()
    mixed = torch.randn(max(channels - 2 * len(white), 0), len(white), dtype=torch.float64)
    mixtures = F.normalize(mixed, dim=1).to(white) @ white
    weight = torch.cat([white, -white, mixtures])[:channels]
    return weight.float(), -(weight @ mean).float()
