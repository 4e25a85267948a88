"""A small data set that is loaded once and stays in memory, on the GPU where there is one."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import DATASETS as ALL_DATASETS
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor
from torch.utils.data import get_worker_info

from sacm_mm.core.errors import UserError
from sacm_mm.core.random_numbers import has_drawn, random_state
from sacm_mm.registry import DATASETS


@DATASETS.register_module()
class InMemoryDataset:
    """Hand on the samples of a data set as they were when they were first loaded.

    Its pipeline runs once a picture, so nothing in it may be random: what is drawn anew each time
    is the preprocessor's (``BatchAugment``). Loaders have ``num_workers=0``: there is no work left
    for others.

    480x360 pixels with their mask take 0.7 MB: CamVid takes 0.3 GB, NYUv2's labelled part 1 GB.

    Args:
        dataset: The data set, as a config.

    Raises:
        UserError: Its pipeline draws something, or it holds disparity, which ``BatchAugment`` would
            zoom as depth; when a sample is taken, the loader has workers; a hook gives it another
            pipeline.
    """

    def __init__(self, dataset: dict) -> None:
        self.dataset: Any = ALL_DATASETS.build(dataset)
        drawing = _first_that_draws(self.dataset)
        if drawing:
            raise UserError(
                f'the pipeline of an InMemoryDataset runs once a picture, so what {drawing} draws '
                'would stay for all epochs: take it out and leave it to sacm_mm.BatchAugment'
            )
        if getattr(self.dataset, 'target', None) == 'disparity':
            raise UserError(
                "InMemoryDataset is for depth in metres: set the data set's target to 'depth'"
            )
        self._device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self._kept: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    @property
    def pipeline(self) -> Any:
        """The data set's; hooks such as SwitchRecipeHook would change it without any effect."""
        return self.dataset.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Any) -> None:
        raise UserError(
            'the pictures of an InMemoryDataset were loaded by its first pipeline, so that no hook '
            'can switch it: take the hook out, or the InMemoryDataset'
        )

    def __getitem__(self, index: int) -> dict:
        """Return a sample whose tensors are shared, and whose fields can be replaced."""
        if get_worker_info() is not None:
            raise UserError(
                'an InMemoryDataset is loaded by the training itself: set '
                'train_dataloader.num_workers to 0 and leave out persistent_workers'
            )
        index = int(index)  # a Draw
        if index not in self._kept:
            self._kept[index] = _moved(self.dataset[index], self._device)
        inputs, kind, meta, fields = self._kept[index]
        sample = kind(metainfo=meta)
        for name, value in fields.items():
            setattr(sample, name, PixelData(data=value[0]) if isinstance(value, tuple) else value)
        return {'inputs': inputs, 'data_samples': sample}


def _first_that_draws(dataset: Any) -> str | None:
    """Name the first transform that draws random numbers, found by running it on a sample."""
    sample = dataset.get_data_info(0)
    for transform in dataset.pipeline.transforms:
        before = random_state()
        sample = transform(sample)
        if has_drawn(before):
            return type(transform).__name__
    return None


def _moved(packed: dict, device: torch.device) -> tuple[Tensor, type[BaseDataElement], dict, dict]:
    sample = packed['data_samples']
    fields: dict[str, Any] = {}

    def moved(data: Tensor) -> Tensor:
        # to wait for each of 50000 small copies takes minutes where programs share a GPU
        return data.to(device, non_blocking=True)

    for name, value in sample.items():
        if isinstance(value, PixelData):
            data = value.data
            # labels are int64, of which a data set of pictures needs eight bits
            value = (moved(data.to(torch.uint8) if data.dtype == torch.int64 else data),)
        fields[name] = moved(value) if isinstance(value, Tensor) else value
    return moved(packed['inputs']), type(sample), dict(sample.metainfo_items()), fields
