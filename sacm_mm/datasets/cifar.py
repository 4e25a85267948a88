"""The raw CIFAR-10 archive, from anywhere, read without running code."""

import io
import pickle
from pathlib import Path
from typing import Any

from mmpretrain.datasets import CIFAR10 as MMPretrainCIFAR10

from sacm_mm.errors import UserError
from sacm_mm.registry import DATASETS

HOW_TO_GET = (
    'unpack cifar-10-python.tar.gz there, set SACM_DATA to the folder above, or make a sample set '
    "with 'python tools/make_sample_data.py cifar_archive --out data/sample' and "
    'SACM_DATA=data/sample'
)


@DATASETS.register_module()
class CIFAR10(MMPretrainCIFAR10):
    """CIFAR-10 as ``<data_root>/cifar-10-batches-py``; never downloaded.

    The host takes the official files only. Here others of the same structure, such as sample data,
    will do; they are pickles, so they are read once with nothing but arrays allowed before the host
    reads them.

    Args:
        **kwargs: ``mmpretrain.CIFAR10``'s.

    Raises:
        UserError: A file is missing, is damaged or wants to run code; the message names it.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(download=False, **kwargs)

    def _check_integrity(self) -> bool:
        folder = Path(self.data_prefix['root'], self.base_folder)
        for name, _ in self.train_list if self.split == 'train' else self.test_list:
            path = folder / name
            if not path.is_file():
                raise UserError(f"'{path}' does not exist: {HOW_TO_GET}")
            _check_batch(path)
        return True


def _check_batch(path: Path) -> None:
    try:
        batch = _Arrays(io.BytesIO(path.read_bytes()), encoding='latin1').load()
        sound = len(batch['data'].reshape(-1, 3 * 32 * 32)) == len(batch['labels'])
    except Exception as error:  # a pickle can fail in any way
        raise UserError(f"'{path}' is not a batch of CIFAR-10 ({error}): unpack it anew") from error
    if not sound:
        raise UserError(f"'{path}' has more or fewer images than labels: unpack it anew")


class _Arrays(pickle.Unpickler):
    """Unpickles built-in types and numpy arrays."""

    ALLOWED = {
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
        ('numpy.core.multiarray', '_reconstruct'),
        ('numpy._core.multiarray', '_reconstruct'),
        ('_codecs', 'encode'),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything else."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f'it wants to run {module}.{name}')
        return super().find_class(module, name)
