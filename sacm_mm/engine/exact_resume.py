"""Training that comes out the same whether it was interrupted or not.

Each image that is drawn has a number, and what its augmentation draws follows from the run's seed
and that number; what the network draws (dropout, drop path) follows from the seed and the step.
So a run can go on from any step, with any number of workers, and nothing is loaded again.
"""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

from mmengine.dataset import DefaultSampler as MMEngineDefaultSampler
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from sacm_mm.datasets.seeding import Draw, seed_everything, seed_pipeline
from sacm_mm.registry import DATA_SAMPLERS, HOOKS

from .balance import Balance


def _as_it_is(index: int, epoch: int) -> int:
    return index


class _SeededSampler:
    """Gives indices that carry the seeds of their augmentation; comes before a host's sampler.

    Args:
        dataset: What is drawn from.
        balanced: Draw pictures with rare classes more often.
        *args: The host's, as ``**kwargs``.
    """

    seed: int

    def __init__(self, dataset: Sized, *args: Any, balanced: bool = False, **kwargs: Any) -> None:
        super().__init__(dataset, *args, **kwargs)  # type: ignore[call-arg]
        if not seed_pipeline(dataset):
            print_log(
                f'Resuming is not exact: {type(dataset).__name__} hides which image is drawn',
                logger='current',
            )
        self._balance = Balance(dataset, self.seed) if balanced else _as_it_is


@DATA_SAMPLERS.register_module()
class InfiniteSampler(_SeededSampler, MMEngineInfiniteSampler):
    """The host's sampler; see ``_SeededSampler``."""

    def _indices_of_rank(self) -> Iterator[int]:
        for place, index in enumerate(super()._indices_of_rank()):
            number = place * self.world_size + self.rank
            epoch = number // self.size
            yield Draw(self._balance(index, epoch), self.seed, number, epoch)


@DATA_SAMPLERS.register_module()
class DefaultSampler(_SeededSampler, MMEngineDefaultSampler):
    """The host's sampler of epochs; see ``_SeededSampler``."""

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.total_size
        for place, index in enumerate(super().__iter__()):
            number = first + place * self.world_size + self.rank
            yield Draw(self._balance(index, self.epoch), self.seed, number, self.epoch)


@DATA_SAMPLERS.register_module()
class ReplayedInfiniteSampler(MMEngineInfiniteSampler):
    """The host's sampler, whose data are loaded again on the way to where a run resumes.

    What the recorded studies were trained with; ``InfiniteSampler`` needs no replay. It needs
    workers, so that the numbers of the data and of the network do not mix.
    """

    @property
    def skip(self) -> Any:  # the host asks whether there is one
        """Hide the host's method."""
        raise AttributeError('skip')


@HOOKS.register_module()
class SeedStepsHook(Hook):
    """Seed each training step by the run's seed and the step: dropout and drop path resume too."""

    priority = 'LOW'  # after hooks that switch the pipeline

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed a pipeline that was put in the place of the first, as by SwitchRecipeHook."""
        if isinstance(runner.train_dataloader.sampler, _SeededSampler):
            seed_pipeline(runner.train_dataloader.dataset)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Sequence | None = None
    ) -> None:
        """Seed the step."""
        seed_everything(runner.seed * 1_000_003 + runner.iter * 1009 + get_rank())
