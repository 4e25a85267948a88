"""How much to write, and the shape of what writes it."""

from pathlib import Path
from typing import NamedTuple, Protocol

from sacm_mm.core.errors import UserError
from sacm_mm.sample_data.publish import Track, Written, no_track


class Sizes(NamedTuple):
    """How much to write; None leaves a number to the set's own default.

    Attributes:
        train: Number of training pictures.
        val: Number of validation pictures.
        size: Height and width, px.
    """

    train: int | None = None
    val: int | None = None
    size: tuple[int, int] | None = None

    def filled(self, train: int, val: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Put the defaults in.

        Returns:
            train, val, height, width.

        Raises:
            UserError: A number is not positive, or the pictures are too small to show anything.
        """
        chosen = self.train, self.val, *(self.size or (None, None))
        numbers = [b if a is None else a for a, b in zip(chosen, (train, val, *size))]
        for name, number, least in zip(
            ('train', 'val', 'height', 'width'), numbers, (1, 1, 16, 16)
        ):
            if number < least:
                raise UserError(f'{name} is {number}; give {least} or more')
        return numbers[0], numbers[1], numbers[2], numbers[3]


DEFAULT = Sizes()


class Writer(Protocol):
    """Writes one set below a root folder."""

    def __call__(
        self, root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
    ) -> Written: ...


def parameters_of(seed: int, train: int, val: int, height: int, width: int) -> dict[str, object]:
    """What the files depend on, as the marker stores it."""
    if seed < 0:
        raise UserError(f'seed is {seed}; give 0 or more')
    return {'seed': seed, 'train': train, 'val': val, 'size': [height, width]}
