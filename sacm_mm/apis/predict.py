"""Predict and draw one's own pictures and videos with a trained model, whatever its task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.registry import VISUALIZERS, init_default_scope
from torch import nn

from sacm_mm.apis.models import load_model
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable, write_image
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy.hosting import exported_model
from sacm_mm.deploy.runtimes import is_exported

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.mkv', '.mov', '.mp4', '.webm')

Track = Callable[..., Iterable]  # rich.progress.track


class Predictor(ABC):
    """A model that draws what it sees in an image.

    Args:
        model: The model, in eval mode.
        cfg: Its config, with the test data's pipeline and a visualizer.
        dataset_meta: Class names, and their colours for segmentation; may be empty.
    """

    def __init__(self, model: nn.Module, cfg: Config, dataset_meta: dict) -> None:
        self.model = model
        self.cfg = cfg
        self.dataset_meta = dataset_meta

    @abstractmethod
    def draw(self, image: np.ndarray) -> np.ndarray:
        """Predict an image (H, W, 3), BGR uint8, and draw it -> (h, w, 3), BGR uint8."""


class DensePredictor(Predictor):
    """An overlay for segmentation, depth with its scale, or both: the config's visualizer."""

    def __init__(self, model: nn.Module, cfg: Config, dataset_meta: dict) -> None:
        super().__init__(model, cfg, dataset_meta)
        model.cfg = cfg  # where inference_model finds the pipeline
        self.visualizer = VISUALIZERS.build({**cfg.visualizer, 'vis_backends': None})
        self.visualizer.dataset_meta = dataset_meta

    def draw(self, image: np.ndarray) -> np.ndarray:
        """Predict and draw; see the base class."""
        from mmseg.apis import inference_model

        sample = inference_model(self.model, image)
        rgb = np.ascontiguousarray(image[..., ::-1])
        self.visualizer.add_datasample('demo', rgb, sample, draw_gt=False)
        return np.ascontiguousarray(self.visualizer.get_image()[..., ::-1])


class ClassPredictor(Predictor):
    """The image beside its most likely classes."""

    def __init__(self, model: nn.Module, cfg: Config, dataset_meta: dict) -> None:
        from mmpretrain.datasets import remove_transform

        super().__init__(model, cfg, dataset_meta)
        pipeline = remove_transform(cfg.test_dataloader.dataset.pipeline, 'LoadImageFromFile')
        self.pipeline = Compose(pipeline)

    def draw(self, image: np.ndarray) -> np.ndarray:
        """Predict and draw; see the base class."""
        from sacm_mm.visualization.class_scores import draw_class_scores

        size = image.shape[:2]
        sample = self.pipeline(dict(img=image, img_shape=size, ori_shape=size))
        with torch.no_grad():
            (result,) = self.model.test_step(default_collate([sample]))  # type: ignore[operator]
        scores = result.pred_score.cpu().numpy()
        names = self.dataset_meta.get('classes') or [f'class {i}' for i in range(len(scores))]
        rgb = draw_class_scores(np.ascontiguousarray(image[..., ::-1]), names, scores)
        return np.ascontiguousarray(rgb[..., ::-1])


def load_predictor(
    cfg: Config,
    checkpoint: str,
    device: str,
    runtime: str | None = None,
    trust: bool = False,
) -> Predictor:
    """Build what draws with the weights of a checkpoint, or with an exported file.

    Args:
        cfg: A leaf config.
        checkpoint: See ``load_model``; or a file of ``tools/export.py``, which runs on the CPU.
        device: Torch device.
        runtime: What runs an exported file, see ``load_exported``.
        trust: Take files that can run code: .pt2, and checkpoints that need it.

    Raises:
        UserError: The file is missing or damaged, or is of another model.
    """
    if is_exported(checkpoint):
        init_default_scope(cfg.default_scope)
        model, device = exported_model(cfg.model, checkpoint, runtime, trust), 'cpu'
        meta = model_meta(cfg, model.exported.meta)
    elif runtime:
        raise UserError(f"--runtime runs exported files; '{checkpoint}' is none")
    else:
        model, meta = load_model(cfg, checkpoint, trust)
    predictor = ClassPredictor if cfg.default_scope == 'mmpretrain' else DensePredictor
    return predictor(model.to(device).eval(), cfg, meta)


def predict_files(
    source: Path,
    cfg: Config,
    checkpoint: str,
    out: Path,
    device: str | None = None,
    runtime: str | None = None,
    trust: bool = False,
    track: Track = lambda things, _: things,
) -> Iterator[Path]:
    """Draw the predictions of an image, a folder of images or a video.

    Args:
        source: The file or folder.
        cfg: A leaf config.
        checkpoint: See ``load_predictor``.
        out: Folder of the pictures.
        device: Torch device; by default a GPU where there is one.
        runtime: What runs an exported file.
        trust: See ``load_predictor``.
        track: Shows how far it is: ``rich.progress.track``.

    Yields:
        What is written.

    Raises:
        UserError: There is nothing to draw, or it cannot be read or written.
    """
    sources = find_inputs(source)
    check_writable(out)
    device = device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    predictor = load_predictor(cfg, checkpoint, device, runtime, trust)
    out.mkdir(parents=True, exist_ok=True)
    if sources[0].suffix.lower() in VIDEO_SUFFIXES:
        yield draw_video(predictor, sources[0], out, track)
        return
    for path in track(sources, 'images') if len(sources) > 1 else sources:
        yield draw_image(predictor, path, out)


def find_inputs(source: Path) -> list[Path]:
    """List what ``source`` names: one image or video, or the images of a folder.

    Raises:
        UserError: It does not exist, is of no known kind, or the folder holds no images.
    """
    if source.is_dir():
        found = sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise UserError(f"no images in '{source}': it needs {' '.join(IMAGE_SUFFIXES)}")
        return found
    if not source.is_file():
        raise UserError(f"'{source}' does not exist: name an image, a folder or a video")
    if source.suffix.lower() not in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
        known = ' '.join(IMAGE_SUFFIXES + VIDEO_SUFFIXES)
        raise UserError(f"'{source}' is no image or video by its name: it needs {known}")
    return [source]


def draw_image(predictor: Predictor, source: Path, out: Path) -> Path:
    """Draw the prediction of an image as ``<out>/<stem>.png``; returns that path.

    Raises:
        UserError: The image cannot be read.
    """
    image = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"cannot read image '{source}': replace the file or remove it")
    path = out / f'{source.stem}.png'
    write_image(predictor.draw(image), path)
    return path


def draw_video(predictor: Predictor, source: Path, out: Path, track: Track) -> Path:
    """Draw the prediction of every frame as ``<out>/<stem>.mp4``; returns that path.

    Raises:
        UserError: The video cannot be read, or cannot be written on this machine.
    """
    video = cv2.VideoCapture(str(source))
    path = out / f'{source.stem}.mp4'
    partial = out / f'.{source.stem}.partial.mp4'
    writer = None
    try:
        for _ in track(range(int(video.get(cv2.CAP_PROP_FRAME_COUNT))), source.name):
            read, frame = video.read()
            if not read:  # containers count frames by their duration
                break
            drawn = predictor.draw(frame)
            if writer is None:
                writer = _open_writer(partial, video.get(cv2.CAP_PROP_FPS), drawn)
            writer.write(drawn)
        if writer is None:
            raise UserError(f"cannot read video '{source}': OpenCV finds no frames in it")
        writer.release()
        partial.replace(path)
    finally:
        video.release()
        if writer is not None:
            writer.release()
        partial.unlink(missing_ok=True)
    return path


def _open_writer(path: Path, rate: float, frame: np.ndarray) -> cv2.VideoWriter:
    codec = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, rate or 25, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        raise UserError(f"cannot write '{path}': this OpenCV has no MPEG-4 encoder")
    return writer
