"""What the config of a study has to say; whatever is wrong with it is said at once.

A study is a config of the hosts with two more names in it::

    study = dict(
        title='Backbones on CamVid',        # heading of the report
        about='367 training images, ...',   # what is compared, and how to read it
        metric='mIoU',                      # key of the figure among those of a test
        metric_name='mIoU',                 # what readers see
        unit='%',                           # of that figure, or ''
        higher_is_better=True,
        size=(360, 480),                    # height and width that costs are counted at
        seeds=(0, 1, 2),                    # optional, (0,) by default
        networks={                          # by a name in lower case
            'resnet18': dict(
                label='ResNet-18',          # what readers see
                backbone='mmpretrain:resnet/18',  # optional: replaces the config's
                model=dict(),               # optional: merged into the config's model before
                whole='mmseg:cgnet',        # optional, instead: a whole model of mmsegmentation
                budgets=['full'],           # optional: only under these
            ),
        },
    )
    budgets = dict(                         # at least one
        # peak learning rates of networks that do not take the config's; any dotted name of it
        laptop=dict(steps=300, size=(180, 240), lr={'resnet18': 1e-3}),
    )
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sacm_mm.core.errors import did_you_mean

_NAME = re.compile(r'[a-z0-9][a-z0-9.+-]*')
# A run trains and tests; of its own accord it looks at no validation data.
_NEEDED = (
    'model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'test_dataloader', 'test_evaluator',
)  # fmt: skip


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_size(value: Any) -> bool:
    return _is_list(value) and len(value) == 2 and all(_is_count(side) for side in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_rate(value: Any) -> bool:
    return isinstance(value, float) and value > 0


def are_seeds(value: Any) -> bool:
    """Tell whether these are seeds of runs, one or more: numpy takes none below 0."""
    return (
        _is_list(value)
        and len(value) > 0
        and all(type(seed) is int and 0 <= seed < 2**32 for seed in value)
    )


Check = tuple[Callable[[Any], bool], str, bool]  # test, what it should be, whether it is needed
_STUDY: dict[str, Check] = {
    'title': (_is_text, 'the heading of the report', True),
    'about': (_is_text, 'what is compared, in words', True),
    'metric': (_is_text, "a key of the test's figures, such as 'mIoU'", True),
    'metric_name': (_is_text, 'what readers see of the metric', True),
    'unit': (_is_text, "'%' or ''", True),
    'higher_is_better': (lambda value: isinstance(value, bool), 'True or False', True),
    'size': (_is_size, '(height, width) in pixels', True),
    'networks': (lambda v: isinstance(v, Mapping) and len(v) > 0,
                 "{'resnet18': dict(label='ResNet-18', backbone='mmpretrain:resnet/18'), ...}",
                 True),
    'seeds': (are_seeds, 'whole numbers from 0 on, such as (0, 1, 2)', False),
}  # fmt: skip
_NETWORK: dict[str, Check] = {
    'label': (_is_text, 'what readers see', True),
    'backbone': (lambda value: value is None or isinstance(value, (str, Mapping)),
                 "a name such as 'mmpretrain:resnet/18', or dict(type=...)", False),
    'model': (lambda value: isinstance(value, Mapping), 'dict(...)', False),
    'whole': (_is_text, "a file of mmsegmentation's models, such as 'mmseg:cgnet'", False),
    'budgets': (_is_list, 'a list of budgets', False),
}  # fmt: skip


def mistakes_in(cfg: Mapping[str, Any]) -> list[str]:
    """List everything that keeps a config from being a study, each with the fix."""
    found = [f'{key} is missing in the config' for key in _NEEDED if cfg.get(key) is None]
    loop = cfg.get('train_cfg')
    if isinstance(loop, Mapping) and 'max_iters' not in loop:
        found.append('train_cfg.max_iters is missing (the networks train for the same steps)')
    study, budgets = cfg.get('study'), cfg.get('budgets')
    if not isinstance(study, Mapping):
        return [*found, 'study = dict(title=..., networks=..., ...) is missing']
    found += _check(study, _STUDY, 'study')
    if not isinstance(budgets, Mapping) or not budgets:
        found.append('budgets = dict(laptop=dict(steps=300), ...) is missing')
        budgets = {}
    networks = study.get('networks')
    networks = networks if isinstance(networks, Mapping) else {}
    for name, changes in budgets.items():
        found += _check_budget(name, changes, networks)
    for name, network in networks.items():
        found += _check_network(name, network, budgets)
    given = (n.get('label') for n in networks.values() if isinstance(n, Mapping))
    found += [
        f"study.networks: {number} have the label '{label}', and a report could not tell them apart"
        for label, number in Counter(filter(_is_text, given)).items()
        if number > 1
    ]
    return found


def _check(given: Mapping, fields: Mapping[str, Check], path: str) -> list[str]:
    found = []
    for name, (fits, what, needed) in fields.items():
        if name not in given:
            found += [f'{path}.{name} is missing ({what})'] if needed else []
        elif not fits(given[name]):
            found.append(f'{path}.{name} is {given[name]!r}, not {what}')
    for name in given:
        if name not in fields:
            found.append(f'{path}.{name} is no field: {_nearest(name, fields)}')
    return found


def _check_budget(name: str, changes: Any, networks: Mapping) -> list[str]:
    if not isinstance(changes, Mapping):
        return [f'budgets.{name} is {changes!r}, not dict(steps=...)']
    found = []
    if 'steps' in changes and not _is_count(changes['steps']):
        found.append(f'budgets.{name}.steps is {changes["steps"]!r}, not a number of steps')
    if 'size' in changes and not _is_size(changes['size']):
        found.append(f'budgets.{name}.size is {changes["size"]!r}, not (height, width) in pixels')
    rates = changes.get('lr', {})
    if not isinstance(rates, Mapping):
        if not _is_rate(rates):
            found.append(f"budgets.{name}.lr is {rates!r}, not 1e-3 or {{'resnet18': 1e-3}}")
        return found
    for network, rate in rates.items():
        if network not in networks:
            found.append(
                f"budgets.{name}.lr names '{network}', which is no network: "
                f'{_nearest(network, networks)}'
            )
        if not _is_rate(rate):
            found.append(f'budgets.{name}.lr.{network} is {rate!r}, not a number such as 1e-3')
    return found


def _check_network(name: Any, network: Any, budgets: Mapping) -> list[str]:
    path = f'study.networks.{name}'
    found = []
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        found.append(f"study.networks: '{name}' is no name: one is like resnet18 or mit-b0")
    if not isinstance(network, Mapping):
        return [*found, f"{path} is {network!r}, not dict(label='...')"]
    found += _check(network, _NETWORK, path)
    if network.get('whole') is not None and network.get('backbone') is not None:
        found.append(f'{path} has backbone and whole: leave one out')
    found += [
        f"{path}.budgets names '{budget}', which is no budget: {_nearest(budget, budgets)}"
        for budget in (network['budgets'] if _is_list(network.get('budgets')) else ())
        if budget not in budgets
    ]
    return found


def _nearest(name: Any, known: Mapping) -> str:
    return did_you_mean(str(name), map(str, known), f'there are {", ".join(map(str, known))}', 1)
