"""When a config's schedules end and its hooks act, in steps or epochs of its loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sacm_mm.core.configs import as_list

if TYPE_CHECKING:
    from mmengine.config import Config

_SCHEDULE_TIMES = ('begin', 'end', 'T_max', 'total_steps', 'step_size', 'milestones', 'periods')
_HOOK_TIMES = {
    'action_epoch': 'max_epochs', 'switch_epoch': 'max_epochs', 'begin_epoch': 'max_epochs',
    'begin_iter': 'max_iters',
}  # fmt: skip


def hook_times(cfg: Config) -> Iterator[tuple[str, dict, str, str]]:
    """Yield when custom hooks act: the hook's type, the dict and the key of the time, its unit."""
    for hook in cfg.get('custom_hooks') or ():
        for part in (hook, *(hook.get('schedule') or ())):
            for key, unit in _HOOK_TIMES.items():
                if isinstance(part, dict) and isinstance(part.get(key), int):
                    yield str(hook['type']), part, key, unit


def scale_times(cfg: Config, before: int, after: int) -> None:
    """Move the ends of schedules and the times of hooks to a loop of ``after``, not ``before``."""

    def scaled(time: int, least: int = 1) -> int:
        return max(least, round(time * after / before))

    for schedule in as_list(cfg.get('param_scheduler')):
        for key in _SCHEDULE_TIMES:
            value = schedule.get(key)
            if isinstance(value, int):
                schedule[key] = scaled(value, 0 if key == 'begin' else 1)
            elif isinstance(value, (list, tuple)):
                schedule[key] = list(map(scaled, value))
    for _, part, key, _ in hook_times(cfg):
        part[key] = scaled(part[key])
