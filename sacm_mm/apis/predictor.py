"""The front door: ``sacm_mm.load`` a trained model, and predict pictures with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate, pseudo_collate
from PIL import Image
from torch import nn

from sacm_mm.apis.find_model import find_model
from sacm_mm.apis.models import check_running, load_model
from sacm_mm.apis.result import Result
from sacm_mm.apis.tiles import cut
from sacm_mm.core.configs import kind_of, loads_rgb, test_pipeline
from sacm_mm.core.errors import UserError, mistakes_named
from sacm_mm.core.machine import choose_device
from sacm_mm.datasets.picture_files import (
    PLAIN_SUFFIXES,
    SUFFIXES,
    as_rgb,
    check_numbers,
    pixels_of,
    to_channels,
)
from sacm_mm.datasets.transforms import use_checked_loaders
from sacm_mm.deploy.description import channels_of
from sacm_mm.deploy.runtimes import is_exported
from sacm_mm.engine.fast_testing import made_fast
from sacm_mm.models.task import task_of
from sacm_mm.visualization.depth import DepthStyle

Source = str | Path | np.ndarray | Image.Image


def load(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    device: str | None = None,
    threads: int | None = None,
    fast: bool = True,
    dtype: str = 'float32',
    runtime: str | None = None,
    trust: bool = False,
    options: Sequence[str] = (),
) -> Model:
    """Load a trained model, whatever its task.

    Args:
        model: A work dir or a folder of results, a published model by name (``camvid_light``), a
            file of weights or an exported one with its config beside it, or a config.
        checkpoint: Weights, where ``model`` is a config; or others than the folder's best.
        device: Torch device; by default a GPU where there is one. Exported files use the CPU.
        threads: Threads of PyTorch, for this process.
        fast: Compute by this package's kernels on a CPU; the results are the same to rounding.
        dtype: ``'bfloat16'`` computes in that, where the processor does; it rounds more.
        runtime: What runs a .onnx file: ``'onnxruntime'`` or ``'openvino'``.
        trust: Take a .pt2 file or a checkpoint that can run code.
        options: Changes of the config, ``KEY=VALUE``.

    Raises:
        UserError: There is no such model, or its weights do not fit its config.
    """
    cfg, weights = find_model(model, checkpoint, options)
    if threads:
        torch.set_num_threads(threads)
    if is_exported(weights) and device not in (None, 'cpu'):
        raise UserError(f'--device is {device}, but exported files run on the CPU: leave it out')
    device = 'cpu' if is_exported(weights) else choose_device(device)
    check_running(weights, fast, dtype, runtime)
    with mistakes_named(f"config '{cfg.filename}' does not build a model that predicts"):
        network, meta = load_model(cfg, weights, trust, runtime)
        # the layers that tell what it takes are in the plain network alone
        loaded = Model(_moved(network, device), cfg, meta)
        if fast and not is_exported(weights):
            loaded.network = made_fast(loaded.network, dtype)
        return loaded


def _moved(network: nn.Module, device: str) -> nn.Module:
    with mistakes_named(f"device '{device}' cannot be used"):
        return network.to(device).eval()


class Prepared(NamedTuple):
    """A picture on its way into the network.

    Attributes:
        image: As it was read.
        sample: What the network takes, of the test data's pipeline.
    """

    image: np.ndarray
    sample: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return C, H, W of the network's input; pictures of one shape can be a batch."""
        return tuple(self.sample['inputs'].shape)


class Model:
    """A trained model with the pipeline of its test data.

    Args:
        network: The host's model, in eval mode on its device.
        cfg: Its config.
        meta: ``classes``, the names, and ``palette``, their RGB; may be empty.

    Attributes:
        task: See ``task_of``.
        names: Names of the classes.
        palette: RGB of each class.
        channels: Of the pictures that the network takes.
        suffixes: Of the files that its loader reads.
        resizes: Transforms that change the scale of pictures, but not that of tiles.
    """

    def __init__(self, network: nn.Module, cfg: Config, meta: dict[str, Any]) -> None:
        self.network = network
        self.cfg = cfg
        self.names: Sequence[str] = tuple(meta.get('classes') or ())
        self.channels = channels_of(network)
        self.palette: Sequence[Sequence[int]] = meta.get('palette') or ()
        self.task = task_of(network)
        if self.task == 'regression':
            raise UserError(
                "a model for regression says numbers, which have no picture: 'sacm test --out' "
                'writes them'
            )
        self._classifies = self.task in ('classification', 'multilabel')
        pipeline = use_checked_loaders([dict(part) for part in test_pipeline(cfg)])
        if not pipeline:
            raise UserError(
                f"config '{cfg.filename}' has no test data with a pipeline: name a leaf config"
            )
        loaders = [part for part in pipeline if _loads_images(part)]
        if not loaders and loads_rgb(cfg):  # a data set that holds its pictures
            loaders = [dict(type='sacm_mm.LoadPicture', channels=self.channels, dtype='uint8')]
        loaders = loaders[:1] or [dict(type='sacm_mm.LoadImageFromFile')]
        self._load = Compose(loaders)
        # the hosts' loader gives BGR of 8 bits; ours what is in the file, in its order
        self._as_stored = kind_of(loaders[0]) == 'LoadPicture'
        self.suffixes = SUFFIXES if self._as_stored else PLAIN_SUFFIXES
        self._dtype = loaders[0].get('dtype') if self._as_stored else 'uint8'
        rest = [part for part in pipeline if not kind_of(part).startswith('Load')]
        self._prepare = Compose(rest)
        # tiles keep the picture's own scale
        self.resizes = [part for part in rest if 'Resize' in kind_of(part)]
        self._prepare_tile = Compose([part for part in rest if part not in self.resizes])
        style = {k: cfg.get('visualizer', {}).get(k) for k in DepthStyle._fields}
        self._style = DepthStyle(**{k: v for k, v in style.items() if v is not None})

    def predict(
        self,
        images: Source | Sequence[Source],
        *,
        batch: int = 8,
        tile: int | None = None,
        overlap: int | None = None,
        keep_scores: bool = True,
    ) -> Any:
        """Predict a picture, or several.

        Args:
            images: A path, a picture of Pillow's or an array, (H, W, 3) BGR as OpenCV reads it,
                (H, W), or of the other channels that the model is trained on, in its numbers; or a
                list of them, of any sizes.
            batch: Pictures of one size that go through the network together.
            tile: Predict parts of this many pixels a side, for pictures that are too large; at the
                scale of the picture.
            overlap: Pixels that neighbouring tiles share; by default what the network sees to both
                sides, which gives what the whole picture would, but at most half a tile; 64 where
                that is not known.
            keep_scores: Keep the scores of every pixel, which take memory.

        Returns:
            A ``Result``, or a list of them.

        Raises:
            UserError: A picture cannot be read or does not fit the network.
        """
        if isinstance(images, Source) or not isinstance(images, Iterable):
            (result,) = self.predict(
                [images], batch=1, tile=tile, overlap=overlap, keep_scores=keep_scores
            )
            return result
        if tile:
            self.check_tiles()
            return [self.predict_tiles(self.read(image), tile, overlap) for image in images]
        prepared = [self.prepare(image) for image in images]
        results: list[Any] = [None] * len(prepared)
        groups = defaultdict(list)
        for place, picture in enumerate(prepared):
            groups[picture.shape].append(place)
        for places in groups.values():
            for start in range(0, len(places), batch):
                part = places[start : start + batch]
                found = self.compute([prepared[i] for i in part], keep_scores)
                for i, result in zip(part, found):
                    results[i] = result
        return results

    def prepare(self, image: Source) -> Prepared:
        """Load a picture and bring it to the network's size; may run in any thread.

        Raises:
            UserError: See ``read``.
        """
        sample = self.read(image)
        return Prepared(sample['img'], self._prepare(dict(sample)))

    def compute(self, pictures: Sequence[Prepared], keep_scores: bool = True) -> list[Result]:
        """Predict pictures of one shape together."""
        outputs = self._run([picture.sample for picture in pictures])
        return [
            self._result(picture.image, output, keep_scores)
            for picture, output in zip(pictures, outputs)
        ]

    def normalized(self, picture: Prepared) -> np.ndarray:
        """Return what the network's layers get of a picture, (1, C, H, W), float32."""
        preprocessor: Any = self.network.data_preprocessor
        with torch.no_grad():
            return preprocessor(self._collate([picture.sample]))['inputs'].float().cpu().numpy()

    def check_tiles(self) -> None:
        """Refuse tiles for a classifier."""
        if self._classifies:
            raise UserError('tiles are for models that say something of each pixel')

    def read(self, image: Source) -> dict[str, Any]:
        """Load a picture as the test data's pipeline does -> what its transforms take.

        Raises:
            UserError: It cannot be read, or has other channels than the network takes.
        """
        if isinstance(image, (str, Path)):
            sample = self._load(dict(img_path=str(image), seg_fields=[]))
            sample['img'] = self._with_channels(sample['img'], f"'{image}'")
            return sample
        if isinstance(image, Image.Image):
            image = self._of_pillow(image)
        if not isinstance(image, np.ndarray):
            what = type(image).__name__
            raise UserError(f"'{what}' is no picture: give a path, an array or one of Pillow's")
        if image.ndim not in (2, 3) or not image.size:
            raise UserError(f'the array is {image.shape}: give (H, W) or (H, W, C)')
        check_numbers(image, self._dtype, 'the array')
        if self._as_stored and image.shape[2:] == (3,):
            image = image[..., ::-1]
        image = self._with_channels(image, 'the array')
        size = image.shape[:2]
        sample = dict(img=image, img_shape=size, ori_shape=size, img_path=None)
        return self._load(sample) if self._as_stored else sample

    def _of_pillow(self, image: Image.Image) -> np.ndarray:
        """Return a picture of Pillow's as OpenCV would read it; alpha that is no channel goes."""
        pixels = pixels_of(image)
        if pixels.shape[2] in (2, 4) and pixels.shape[2] != self.channels:
            pixels = pixels[..., :-1]
        return pixels[..., ::-1] if pixels.shape[2] == 3 else pixels

    def _with_channels(self, image: np.ndarray, name: str) -> np.ndarray:
        found, wanted = (1 if image.ndim == 2 else image.shape[2]), self.channels
        if found == wanted:
            return image
        if {found, wanted} != {1, 3}:
            raise UserError(f'{name} has {found} channels, but the model takes {wanted}')
        if found == 3 and not self._as_stored:
            image = image[..., ::-1]
        return to_channels(image.reshape(*image.shape[:2], found), wanted)

    def _collate(self, samples: list[dict]) -> Any:
        return default_collate(samples) if self._classifies else pseudo_collate(samples)

    def _run(self, samples: list[dict]) -> list[Any]:
        with torch.no_grad():
            return self.network.test_step(self._collate(samples))  # type: ignore[operator]

    def _result(self, image: np.ndarray, output: Any, keep_scores: bool) -> Result:
        result = self._empty(image)
        if 'pred_score' in output:
            result._class_scores = output.pred_score.float().cpu().numpy()
            if not self.names:
                result.names = [f'class {i}' for i in range(len(result._class_scores))]
            if self.task == 'multilabel':
                result.labels = [result.names[i] for i in output.pred_label.tolist()]
        if 'pred_sem_seg' in output:
            labels = output.pred_sem_seg.data.squeeze(0).cpu().numpy()
            result.classes = labels.astype(np.min_scalar_type(max(1, len(self.names) - 1)))
            if keep_scores and 'seg_logits' in output:
                result._maps = output.seg_logits.data.detach().cpu()
        if 'pred_depth_map' in output:
            result.depth = output.pred_depth_map.data.squeeze(0).float().cpu().numpy()
        return result

    def _empty(self, image: np.ndarray) -> Result:
        shown = as_rgb(image if image.ndim == 3 else image[..., None])  # or BGR, as it is
        if self._as_stored:
            shown = np.ascontiguousarray(shown[..., ::-1])
        return Result(shown, self.names, self.palette, self.task, style=self._style)

    def predict_tiles(self, sample: dict, size: int, overlap: int | None) -> Result:
        """Predict parts of a picture that ``read`` gave; see ``predict``."""
        image = sample['img']
        result = self._empty(image)
        backbone = getattr(self.network, 'backbone', None)
        stride = max(getattr(backbone, 'out_strides', None) or (32,))
        if overlap is None:
            reach = getattr(backbone, 'reach', None)
            # beside what is kept lie its own patch and one that the edge cuts
            overlap = 64 if reach is None else min(2 * (reach + 2 * stride), size // 2)
        for part in cut(image.shape[:2], size, overlap, stride):
            tile = np.ascontiguousarray(image[part.outer])
            shape = tile.shape[:2]
            given = {**sample, 'img': tile, 'img_shape': shape, 'ori_shape': shape}
            found = self._result(tile, self._run([self._prepare_tile(given)])[0], False)
            for name in ('classes', 'depth'):
                values = getattr(found, name)
                if values is None:
                    continue
                if getattr(result, name) is None:
                    setattr(result, name, np.empty(image.shape[:2], values.dtype))
                getattr(result, name)[part.inner] = values[part.kept]
        return result


def _loads_images(transform: Any) -> bool:
    kind = kind_of(transform)
    return kind.startswith('Load') and 'Annotation' not in kind and 'Depth' not in kind
