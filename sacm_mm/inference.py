"""Predict and draw images of one's own with a trained model, whatever its task."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, default_collate
from mmengine.registry import DATASETS, MODELS, VISUALIZERS, init_default_scope
from torch import nn

from sacm_mm import convert
from sacm_mm.core.checkpoints import (
    check_weights,
    find_checkpoint,
    load_checkpoint,
    state_dict_of,
)
from sacm_mm.core.errors import UserError
from sacm_mm.deploy.hosting import exported_model
from sacm_mm.deploy.runtimes import is_exported


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
    cfg: Config, checkpoint: str, device: str, runtime: str | None = None
) -> Predictor:
    """Build what draws with the weights of a checkpoint, or with an exported file.

    Args:
        cfg: A leaf config.
        checkpoint: See ``load_model``; or a file of ``tools/export.py``, which runs on the CPU.
        device: Torch device.
        runtime: What runs a .onnx file, see ``load_exported``.

    Raises:
        UserError: The file is missing or damaged, or is of another model.
    """
    if is_exported(checkpoint):
        init_default_scope(cfg.default_scope)
        model, meta, device = exported_model(cfg.model, checkpoint, runtime), None, 'cpu'
    else:
        model, meta = load_model(cfg, checkpoint)
    predictor = ClassPredictor if cfg.default_scope == 'mmpretrain' else DensePredictor
    return predictor(model.to(device).eval(), cfg, meta or _dataset_meta(cfg))


def load_model(cfg: Config, checkpoint: str) -> tuple[nn.Module, dict]:
    """Build a config's model with the weights of a checkpoint, on the CPU and in eval mode.

    Args:
        cfg: A leaf config.
        checkpoint: Checkpoint file, or a work dir for its latest one; or published weights that
            are not converted, for a config of the same task.

    Returns:
        The model, and the class names and colours of its data; may be empty.

    Raises:
        UserError: The checkpoint is missing or damaged, or is of another model.
    """
    init_default_scope(cfg.default_scope)
    meta = None
    if cfg.model.backbone.type.endswith('SAConvMixer') and convert.is_published(checkpoint):
        model = _load_published(cfg, checkpoint)
    else:
        path = find_checkpoint(checkpoint)
        cfg.model.train_cfg = None
        model = MODELS.build(cfg.model)
        content = load_checkpoint(path)
        weights = state_dict_of(content, path)
        check_weights(model, weights, path)
        model.load_state_dict(weights, strict=False)
        meta = content.get('meta', {}).get('dataset_meta')
    return model.eval(), meta or _dataset_meta(cfg)


def _dataset_meta(cfg: Config) -> dict:
    return getattr(DATASETS.get(cfg.test_dataloader.dataset.type), 'METAINFO', {})


def _load_published(cfg: Config, path: str) -> nn.Module:
    """Build what published weights are for, in place of the config's model of the same task."""
    model_cfg, state_dict = convert.load(path)
    kinds = [model.type.rpartition('.')[2] for model in (cfg.model, ConfigDict(model_cfg))]
    if kinds[0] != kinds[1]:
        raise UserError(
            f"'{path}' holds weights of a {kinds[1]}, but the config describes a {kinds[0]}: "
            'choose a config of that task'
        )
    cfg.model = model_cfg
    model = MODELS.build(cfg.model)
    model.load_state_dict(state_dict, strict=True)
    return model
