"""The thinnest neck that turns a new backbone's maps into those that the heads read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sacm_mm.swap.feature_info import FeatureInfo
from sacm_mm.swap.needs import Needs


def choose_sources(needs: Needs, maps: FeatureInfo) -> list[int]:
    """Choose the new map that feeds each level.

    The deepest map feeds the level that the prediction comes from, whatever their strides are: the
    stages before it know less. Where both are pyramids, levels are joined from the deepest on,
    else by the nearest stride.
    """
    last = len(maps.strides) - 1
    count = len(needs.strides)
    rising = list(needs.strides) == sorted(needs.strides)
    if rising and needs.main == count - 1 and count <= len(maps.strides):
        return [last - (count - 1 - i) for i in range(count)]
    sources = []
    for i, stride in enumerate(needs.strides):
        distances = [abs(math.log2(stride / other)) for other in maps.strides]
        nearest = max(j for j, d in enumerate(distances) if d <= min(distances) + 1e-9)
        sources.append(last if i == needs.main else nearest)
    return sources


def adapter_for(
    needs: Needs, maps: FeatureInfo, norm_cfg: Mapping | None
) -> tuple[list[dict[str, Any]], list[int]]:
    """Plan the necks between a backbone and the heads.

    Args:
        needs: What the heads read.
        maps: What the backbone offers.
        norm_cfg: Norms of the config where they are SyncBN.

    Returns:
        The necks in order, none where nothing is to be done, and the maps that they take.
    """
    sources = choose_sources(needs, maps)
    used = sorted({sources[i] for i in needs.read})
    # a level that nothing reads gets no weights: it hands a map on that is there anyway
    index = [used.index(sources[i]) if i in needs.read else len(used) - 1
             for i in range(len(sources))]  # fmt: skip
    channels = [maps.channels[j] for j in used]
    strides = [maps.strides[j] for j in used]
    wanted = [c if i in needs.read else None for i, c in enumerate(needs.channels)]
    same_strides = all(strides[index[i]] == needs.strides[i] for i in needs.read)
    same_channels = all(channels[index[i]] == wanted[i] for i in needs.read)
    own_places = index == list(range(len(used)))
    necks: list[dict[str, Any]] = []
    if not same_strides:
        necks.append(_pyramid(needs, channels, strides, wanted, index, norm_cfg))
    elif not (same_channels and own_places):
        necks.append(
            dict(type='sacm_mm.ChannelProjection', in_channels=channels, out_channels=wanted)
        )
        if not own_places:
            necks[0]['in_index'] = index
    form: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in (('predict', needs.predict), ('train', needs.train))
        if value is not None
    }
    if form or needs.element != 'map':
        if needs.element != 'map':
            form['element'] = needs.element
        necks.append(dict(type='sacm_mm.FeatureForm', **form))
    return necks, used


def _pyramid(
    needs: Needs,
    channels: list[int],
    strides: list[int],
    wanted: list[int | None],
    index: list[int],
    norm_cfg: Mapping | None,
) -> dict[str, Any]:
    neck: dict[str, Any] = dict(
        type='sacm_mm.PixelShufflePyramid',
        in_channels=channels if len(channels) > 1 else channels[0],
        in_stride=strides if len(strides) > 1 else strides[0],
        out_channels=wanted,
        out_strides=list(needs.strides),
    )
    if len(channels) > 1 and index != list(range(len(channels))):
        neck['in_index'] = index
    if norm_cfg:
        neck['norm_cfg'] = dict(norm_cfg)
    return neck
