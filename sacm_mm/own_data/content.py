"""What ``dataset.yaml`` says of a data set."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .samples import SPLITS, Source, count
from .splitting import SplitWishes
from .statistics import Facts, Form, class_shares, mean_std, usual_size
from .writing import Job


def content_of(
    source: Source, parts: dict[str, str], facts: list[Facts], form: Form, job: Job, step: float
) -> dict[str, Any]:
    """Collect what ``dataset.yaml`` says."""
    trained = [fact for fact in facts if parts[fact.name] == 'train']
    mean, std = mean_std(trained, form.channels)
    shares, holders = class_shares(trained, len(source.classes))
    counts = Counter(parts.values())
    content: dict[str, Any] = {'task': source.task}
    if source.classes:
        content['classes'] = [
            {'name': c.name, 'colour': c.hex, 'code': c.code} for c in source.classes
        ]
    content['counts'] = {part: counts.get(part, 0) for part in SPLITS}
    content['pictures'] = {
        'channels': form.channels, 'dtype': form.dtype, 'mean': mean, 'std': std,
        'size': usual_size(facts), 'suffixes': sorted({fact.suffix for fact in facts}),
    }  # fmt: skip
    if source.task != 'depth':
        what = 'pixels' if source.task == 'segmentation' else 'pictures'
        content['train'] = {f'share_of_{what}': shares, 'pictures_with_class': holders}
    else:
        valid = [fact.depths for fact in trained if fact.depths[3] > 0]
        content['depth'] = {
            'metric': bool(job.unit and job.unit.is_metric), 'step': step,
            'near': min((d[0] for d in valid), default=0.0),
            'median': float(np.median([d[1] for d in valid])) if valid else 0.0,
            'far': max((d[2] for d in valid), default=0.0),
            'valid': float(np.mean([fact.depths[3] for fact in trained])),
        }  # fmt: skip
    content['split'] = split_text(job.split)
    content['source'] = job.origin
    content['found'] = source.notes + form.notes
    content['warnings'] = source.warnings
    content['names'] = {
        part: sorted(name for name, other in parts.items() if other == part) for part in SPLITS
    }
    return content


def split_text(wishes: SplitWishes) -> dict[str, Any]:
    """Return what ``dataset.yaml`` says of how it was split."""
    return {'shares': list(wishes.shares), 'seed': wishes.seed, 'group': wishes.group}


def summary(content: dict[str, Any]) -> str:
    """Say in a line how many pictures there are, and of which size and kind."""
    counts = {part: n for part, n in content['counts'].items() if n}
    pictures = content['pictures']
    size = pictures['size']
    what = f'{count(pictures["channels"], "channel")}, {pictures["dtype"]}'
    many = f', {size["different"]} sizes' if size['different'] > 1 else ''
    return (
        ', '.join(f'{n} {part}' for part, n in counts.items())
        + f' {"pictures" if sum(counts.values()) != 1 else "picture"}, '
        f'{size["median"][0]}x{size["median"][1]} pixels{many}, {what}'
    )
