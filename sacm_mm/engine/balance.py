"""Draw pictures with rare classes more often."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from sacm_mm.core.errors import UserError


def picture_weights(dataset: Any) -> Tensor:
    """Say how often each picture is drawn: by the rarest class in it.

    A class that is in a hundredth of the pictures counts ten times the most frequent one: by the
    square root, so that the few pictures of a rare class are not learned by heart.

    Source: the repeat factors of Gupta et al., "LVIS", 2019, with the most frequent class as
    threshold.

    Args:
        dataset: It has ``get_cat_ids``, the classes of a picture.

    Raises:
        UserError: It has no classes.
    """
    named = hasattr(dataset, 'get_cat_ids') and dataset.metainfo.get('classes')
    try:
        holds = [set(dataset.get_cat_ids(i)) for i in range(len(dataset))] if named else None
    except NotImplementedError:  # of a host, whose sets of pixels say them of no picture
        holds = None
    if holds is None:
        raise UserError(
            f'balanced sampling needs the classes of each picture, which {type(dataset).__name__} '
            'does not say'
        )
    pictures = Counter(label for labels in holds for label in labels)
    most = max(pictures.values(), default=1)
    weight = {label: (most / number) ** 0.5 for label, number in pictures.items()}
    return torch.tensor([max((weight[i] for i in labels), default=1.0) for labels in holds])


class Balance:
    """Replace the pictures of an epoch, of which each comes once, by as many balanced ones.

    Args:
        dataset: See ``picture_weights``.
        seed: Of the run; which pictures come follows from it and the epoch.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        weights = picture_weights(dataset).double()
        self._edges = weights.cumsum(0) * (len(weights) / weights.sum())
        self._seed = seed
        self._epoch = -1

    def __call__(self, index: int, epoch: int) -> int:
        """Return the picture that comes in place of one.

        Steps of one from a random start: each picture comes as often as it should, up to one.
        """
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            size = len(self._edges)
            steps = torch.arange(size) + torch.rand(1, generator=generator)
            picks = torch.searchsorted(self._edges, steps.double())
            self._picks = picks.clamp(max=size - 1).tolist()
            self._epoch = epoch
        return self._picks[index]
