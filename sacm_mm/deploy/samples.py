"""Pictures of a config's test data, for pages and cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from sacm_mm.core.configs import loads_rgb
from sacm_mm.core.errors import UserError
from sacm_mm.core.templates import data_url
from sacm_mm.datasets.picture_files import as_rgb, read_picture

_LARGEST = 600_000  # bytes of a picture that is taken as it is
_SUFFIXES = ('.jpg', '.jpeg', '.png')


@dataclass(frozen=True)
class Sample:
    """A picture that the page offers: its name, and the content of a JPEG or PNG file."""

    name: str
    content: bytes

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return data_url(self.content)


def data_samples(cfg: Config, count: int = 4) -> list[Sample]:
    """Take pictures spread over the test data; none where the data are not on this machine."""
    try:
        with DATASETS.switch_scope_and_registry(cfg.get('default_scope')) as registry:
            dataset = registry.build(cfg.test_dataloader.dataset)
        total = len(dataset)
    except (OSError, UserError, ValueError, KeyError):
        return []
    places = sorted({int((i + 0.5) * total / count) for i in range(count)}) if total else []
    samples = []
    for place in places:
        info = dataset.get_data_info(place)
        if 'img_path' in info:
            samples.append(read_sample(Path(info['img_path'])))
        elif 'img' in info:
            encoded = cv2.imencode('.png', picture_in(info, cfg))[1]
            samples.append(Sample(f'{place}.png', encoded.tobytes()))
    return samples


def read_sample(path: Path) -> Sample:
    """Read a picture for a page; a large or unusual one is made smaller, as a JPEG file.

    Raises:
        UserError: It cannot be read.
    """
    if path.suffix.lower() in _SUFFIXES and path.stat().st_size <= _LARGEST:
        return Sample(path.name, path.read_bytes())
    image = np.ascontiguousarray(as_rgb(read_picture(path))[..., ::-1])
    factor = min(1.0, 1024 / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return Sample(f'{path.stem}.jpg', cv2.imencode('.jpg', small)[1].tobytes())


def decode(sample: Sample) -> np.ndarray:
    """Decode a sample -> (H, W, 3), BGR uint8.

    Raises:
        UserError: It is damaged.
    """
    image = cv2.imdecode(np.frombuffer(sample.content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"cannot read sample '{sample.name}': replace the file or remove it")
    return image


def picture_in(info: Mapping[str, Any], cfg: Config) -> np.ndarray:
    """Return the picture that a data set holds itself, colours as BGR."""
    image = np.asarray(info['img'])
    return image[..., ::-1] if image.ndim == 3 and loads_rgb(cfg) else image


def pictures_of(cfg: Config, folder: str | Path | None) -> list[Sample]:
    """Take the JPEG and PNG files of a folder, by default some pictures of the test data.

    Raises:
        UserError: The folder has none.
    """
    if not folder:
        return data_samples(cfg)
    paths = sorted(p for p in Path(folder).glob('*') if p.suffix.lower() in _SUFFIXES)
    if not paths:
        raise UserError(f"no samples in '{folder}': it needs {' '.join(_SUFFIXES)}")
    return [read_sample(path) for path in paths]
