"""A few pictures in COCO's layout: coloured rectangles, and what they are."""

import json
from pathlib import Path

import cv2
import numpy as np

COLOURS = {1: (60, 60, 220), 2: (70, 200, 70), 3: (220, 120, 50)}  # person, bicycle, car; BGR


def write_coco(root: Path, train: int = 4, val: int = 2, size: tuple[int, int] = (64, 96)) -> None:
    """Write ``coco/{train,val}2017`` and ``coco/annotations/instances_{train,val}2017.json``."""
    for split, count, seed in (('train', train, 0), ('val', val, 1)):
        rng = np.random.default_rng(seed)
        folder = root / f'coco/{split}2017'
        folder.mkdir(parents=True)
        images, annotations = [], []
        for i in range(1, count + 1):
            picture = rng.integers(100, 140, (*size, 3), np.uint8)
            slot = size[1] // len(COLOURS)  # the rectangles stand beside each other, in any order
            for place, category in enumerate(rng.permutation(list(COLOURS)).tolist()):
                w, h = (int(n) for n in rng.integers(slot * 5 // 9, slot, 2))
                x = place * slot + int(rng.integers(0, slot - w))
                y = int(rng.integers(0, size[0] - h))
                picture[y : y + h, x : x + w] = COLOURS[category]
                corners = [x, y, x + w, y, x + w, y + h, x, y + h]
                annotations.append(
                    dict(id=len(annotations) + 1, image_id=i, category_id=category, iscrowd=0,
                         bbox=[x, y, w, h], area=w * h, segmentation=[corners])
                )  # fmt: skip
            images.append(dict(id=i, file_name=f'{i:012}.jpg', height=size[0], width=size[1]))
            cv2.imwrite(str(folder / f'{i:012}.jpg'), picture)
        names = ('person', 'bicycle', 'car')
        content = dict(
            images=images,
            annotations=annotations,
            categories=[dict(id=i + 1, name=name) for i, name in enumerate(names)],
        )
        file = root / f'coco/annotations/instances_{split}2017.json'
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
