"""Draw what a masked-image start guesses of pictures that it never saw.

    SACM_DATA=data python results/spark/draw.py WORK_DIR results/spark/reconstructions.webp

A row holds the picture, what the network saw of it, and its guess of the rest: each masked cell has
its own mean and contrast, which the loss leaves out.
"""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from torch import Tensor

from sacm_mm.core.checkpoints import find_checkpoint, read_weights
from sacm_mm.core.configs import load_config
from sacm_mm.core.files import save_figure
from sacm_mm.registry import MODELS

PICTURES = {'camvid/test': 2, 'nyu/images/test': 2}


def main() -> None:
    """Draw two rows of each data set's test pictures, evenly spread."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    cfg = load_config(str(next(folder.glob('*.py'))))
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(read_weights(find_checkpoint(folder)))
    size = cfg.model.input_size
    data = Path(os.environ['SACM_DATA'])
    images = torch.stack(
        [
            read(path, size)
            for place, number in PICTURES.items()
            for path in spread(sorted((data / place).iterdir()), number)
        ]
    )
    preprocessor = model.data_preprocessor
    inputs = (images - preprocessor.mean) / preprocessor.std
    torch.manual_seed(0)
    visible = model.mask(inputs.shape, 'cpu')
    with torch.no_grad():
        guess = model.reconstruct(inputs, visible)
    shown = visible.repeat_interleave(model.downsample_raito, 2)
    shown = shown.repeat_interleave(model.downsample_raito, 3)
    guess = torch.where(shown, inputs, in_colours(guess, inputs, model.downsample_raito))
    columns = [
        images,
        torch.where(shown, images, 128),
        guess * preprocessor.std + preprocessor.mean,
    ]
    figure = Figure(figsize=(3 * 2.4, len(images) * 2.4), layout='constrained')
    axes = figure.subplots(len(images), 3)
    for column, title, pictures in zip(
        axes.T, ('picture', 'seen', 'guessed'), columns, strict=True
    ):
        column[0].set_title(title)
        for axis, picture in zip(column, pictures, strict=True):
            axis.imshow(np.clip(picture.permute(1, 2, 0).numpy() / 255, 0, 1))
            axis.axis('off')
    save_figure(figure, out, dpi=100, quality=85)


def read(path: Path, size: int) -> Tensor:
    """Read the middle of a picture -> (3, size, size), RGB, 0 to 255."""
    image = cv2.imread(str(path))[..., ::-1]
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    image = cv2.resize(image[top : top + side, left : left + side], (size, size))
    return torch.from_numpy(image).permute(2, 0, 1).float()


def spread(paths: list[Path], number: int) -> list[Path]:
    """Take a number of files, evenly spread."""
    return paths[len(paths) // (2 * number) :: len(paths) // number][:number]


def in_colours(guess: Tensor, inputs: Tensor, cell: int) -> Tensor:
    """Give each cell of (N, 3, H, W), of mean 0 and variance 1, the picture's own."""
    cells = inputs.unflatten(3, (-1, cell)).unflatten(2, (-1, cell))  # (N, 3, h, cell, w, cell)
    mean = cells.mean((1, 3, 5), keepdim=True)
    deviation = (cells.var((1, 3, 5), keepdim=True) + 1e-6).sqrt()
    guess = guess.unflatten(3, (-1, cell)).unflatten(2, (-1, cell)) * deviation + mean
    return guess.flatten(4).flatten(2, 3)


if __name__ == '__main__':
    main()
