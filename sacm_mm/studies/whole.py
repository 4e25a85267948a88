"""Whole models of mmsegmentation as networks of a study: their own body and heads, our recipe."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from sacm_mm.core.configs import as_list, change_dicts, host_config_folder
from sacm_mm.core.errors import UserError
from sacm_mm.swap.dry_run import without_weights

_PREFIX = 'mmseg:'


def whole_model(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stock model for a study's classes and recipe, from random weights.

    Body, heads and auxiliary heads are the stock ones. Classes, the loss of every head that
    predicts them (with the stock weight), normalisation of the images and the way it is tested are
    the study's; pixels are not sampled; norms are ``BN``, which ``SyncBN`` is on one device, with
    PyTorch's momentum: statistics that average over a hundred steps are not those of the weights
    where a run has a few hundred.

    Args:
        name: ``mmseg:`` and a file of mmsegmentation's ``_base_/models``, as in ``mmseg:cgnet``.
        model: The study's model: it has ``decode_head.num_classes`` and one ``loss_decode``.

    Raises:
        UserError: There is no such model, or mmsegmentation is not installed.
    """
    folder = host_config_folder('mmseg') / '_base_' / 'models'
    path = folder / f'{name.removeprefix(_PREFIX)}.py'
    if not name.startswith(_PREFIX) or not path.is_file():
        names = ', '.join(f'{_PREFIX}{found.stem}' for found in sorted(folder.glob('*.py')))
        raise UserError(f"unknown whole model '{name}': choose from {names}")
    stock = change_dicts(without_weights(Config.fromfile(path).model.to_dict()), _plain_norm)
    classes = model['decode_head']['num_classes']
    loss = model['decode_head']['loss_decode']
    for head in (*as_list(stock.get('decode_head')), *as_list(stock.get('auxiliary_head'))):
        _fit(head, classes, loss)
    stock['data_preprocessor'] = copy.deepcopy(dict(model['data_preprocessor']))
    stock['test_cfg'] = copy.deepcopy(dict(model.get('test_cfg', dict(mode='whole'))))
    return stock


def _fit(head: dict[str, Any], classes: int, loss: Mapping[str, Any]) -> None:
    """Let a head predict the study's classes under its loss; one of edges stays as it is."""
    if head['type'] == 'STDCHead':
        return
    stock = head['loss_decode']
    weight = stock.get('loss_weight', 1.0) if isinstance(stock, Mapping) else 1.0
    head['num_classes'] = classes
    head['loss_decode'] = {**loss, 'loss_weight': weight * loss.get('loss_weight', 1.0)}
    head.pop('sampler', None)


def _plain_norm(part: dict) -> dict:
    if part.get('type') not in ('BN', 'SyncBN'):
        return part
    return {key: value for key, value in part.items() if key != 'momentum'} | {'type': 'BN'}
