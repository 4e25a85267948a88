"""Random truth in the form of each host's data samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

BOXES = 3


def random_samples(
    scope: str, model: Any, count: int, height: int, width: int, masks: bool = True
) -> list:
    """Make what a model of a host's learns from: labels, masks and depth, or boxes.

    Args:
        scope: The host.
        model: Its classifier, segmentor or detector.
        count: Samples in the batch.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        masks: Whether a detector's objects have masks.
    """
    if scope == 'mmpretrain':
        return [_label(model) for _ in range(count)]
    if scope == 'mmdet':
        return [_boxes(model, height, width, masks) for _ in range(count)]
    return [_mask(model, height, width) for _ in range(count)]


def _label(model: Any) -> Any:
    from mmpretrain.structures import DataSample

    classes = getattr(getattr(model, 'head', None), 'num_classes', None)
    return DataSample().set_gt_label(
        int(torch.randint(classes if isinstance(classes, int) else 2, ()))
    )


def _mask(model: Any, height: int, width: int) -> Any:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    classes = max(int(getattr(model, 'num_classes', 2) or 2), 2)
    # a picture of blocks: random pixels have no region that a mask could stand for
    blocks = torch.randint(classes, (1, 1, 4, 4)).float()
    mask = nn.functional.interpolate(blocks, (height, width))[0].long()
    sample = SegDataSample(metainfo=dict(_shapes(height, width), padding_size=[0, 0, 0, 0]))
    sample.gt_sem_seg = PixelData(data=mask)
    sample.gt_edge_map = PixelData(data=(torch.rand(1, height, width) < 0.1).long())
    sample.gt_depth_map = PixelData(data=torch.rand(1, height, width) * 9 + 0.5)
    return sample


def _boxes(model: Any, height: int, width: int, masks: bool) -> Any:
    import numpy as np
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData, PixelData

    corners = torch.rand(BOXES, 2) / 2
    boxes = torch.cat([corners, corners + 0.2 + torch.rand(BOXES, 2) * 0.3], dim=1)  # x, y, x, y
    boxes *= torch.tensor([width, height, width, height])
    meta = dict(scale_factor=(1.0, 1.0), border=(0, height, 0, width), img_id=0)
    sample = DetDataSample(metainfo=_shapes(height, width) | meta)
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.randint(_detected_classes(model), (BOXES,))
    )
    if masks:
        filled = np.zeros((BOXES, height, width), np.uint8)
        for mask, (x0, y0, x1, y1) in zip(filled, boxes.int().tolist()):
            mask[y0:y1, x0:x1] = 1
        sample.gt_instances.masks = BitmapMasks(filled, height, width)
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    if not getattr(model, 'with_rpn', False):  # it makes its own
        sample.proposals = InstanceData(bboxes=boxes.clone(), scores=torch.rand(BOXES))
    sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, height, width, dtype=torch.long))
    return sample


def _shapes(height: int, width: int) -> dict[str, Any]:
    size = (height, width)
    return dict(img_shape=size, ori_shape=size, pad_shape=size, flip=False, flip_direction=None)


def _detected_classes(model: nn.Module) -> int:
    """Return a number of classes that every head of a detector knows."""
    counts = [getattr(module, 'num_classes', None) for module in model.modules()]
    return min((count for count in counts if isinstance(count, int) and count > 0), default=1)
