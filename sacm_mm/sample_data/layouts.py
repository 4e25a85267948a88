"""Sample data on disk, laid out exactly as the real sets are.

A new set is one function that lists its pictures as jobs and hands them to `publish`, and one entry
in `WRITERS`.
"""

from collections.abc import Sequence

from sacm_mm.core.errors import UserError
from sacm_mm.sample_data.classification_sets import (
    write_cifar10,
    write_classification,
    write_imagenet,
)
from sacm_mm.sample_data.depth_sets import write_cityscapes, write_kitti, write_nyu
from sacm_mm.sample_data.publish import Written
from sacm_mm.sample_data.segmentation_sets import write_ade20k, write_camvid, write_voc
from sacm_mm.sample_data.sizes import Sizes, Writer

__all__ = [
    'WRITERS',
    'Sizes',
    'Writer',
    'Written',
    'write_ade20k',
    'write_camvid',
    'write_cifar10',
    'write_cityscapes',
    'write_classification',
    'write_imagenet',
    'write_kitti',
    'write_nyu',
    'write_voc',
]

WRITERS: dict[str, Writer] = {
    'voc': write_voc,
    'camvid': write_camvid,
    'ade20k': write_ade20k,
    'cityscapes': write_cityscapes,
    'nyu': write_nyu,
    'kitti': write_kitti,
    'classification': write_classification,
    'imagenet': write_imagenet,
    'cifar10': write_cifar10,
}
"""The sets that can be written, by name."""


def find_writers(names: Sequence[str]) -> list[Writer]:
    """Look writers up by name.

    Raises:
        UserError: A name is unknown.
    """
    unknown = [name for name in names if name not in WRITERS]
    if unknown:
        raise UserError(f'no sample set named {unknown[0]!r}; choose from: {", ".join(WRITERS)}')
    return [WRITERS[name] for name in names]
