"""What a network says of a picture: one answer for every tool."""

from typing import Any

from mmpretrain.models import BaseClassifier, heads
from mmseg.models.segmentors import DepthEstimator

from sacm_mm.core.errors import UserError

_NUMBERS: Any = getattr(heads, 'RegressionHead', ())  # the host's first releases have none


def task_of(model: Any) -> str:
    """Return what a model of the hosts predicts.

    Returns:
        ``'segmentation'``, ``'depth'`` or both, ``'joint'``; of classifiers ``'classification'``,
        ``'multilabel'`` where a picture has several classes, or ``'regression'``.

    Raises:
        UserError: It is a model of another kind.
    """
    if isinstance(model, BaseClassifier):
        head = getattr(model, 'head', None)  # those of timm have none
        if isinstance(head, heads.MultiTaskHead):
            raise UserError('a MultiTaskHead has several answers, which only sacm test knows')
        if isinstance(head, _NUMBERS):
            return 'regression'
        return 'multilabel' if isinstance(head, heads.MultiLabelClsHead) else 'classification'
    if hasattr(model, 'depth_head'):
        return 'joint'
    if not hasattr(model, 'decode_head'):
        what = 'no segmentor, depth estimator or classifier'
        raise UserError(f'{type(model).__name__} is {what}: choose a model of one of these tasks')
    return 'depth' if isinstance(model, DepthEstimator) else 'segmentation'


def depth_head_of(model: Any) -> Any:
    """Return the head that predicts depth, None where there is none."""
    name = {'depth': 'decode_head', 'joint': 'depth_head'}.get(task_of(model))
    return name and getattr(model, name)


def largest_depth(model: Any) -> float | None:
    """Return the largest depth that a model can predict, in metres; None without a bound."""
    head = depth_head_of(model)
    return head.max_depth if getattr(head, 'bound', None) is not None else None
