"""Colours and noise."""

import colorsys

import cv2
import numpy as np

Colour = tuple[float, float, float]
"""Red, green, blue, each 0..255."""


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Turn hue, saturation and value (each 0..1, the hue wraps around) into a colour."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return 255 * r, 255 * g, 255 * b


def paint(rng: np.random.Generator) -> Colour:
    """Draw a colour as cars and clothes have it: one in three is white, grey or black."""
    if rng.random() < 0.33:
        return hsv(rng.random(), rng.uniform(0, 0.08), rng.choice([0.16, 0.35, 0.6, 0.9]))
    return hsv(rng.random(), rng.uniform(0.35, 0.9), rng.uniform(0.3, 0.85))


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (below 1) or brighter (above 1)."""
    r, g, b = (min(255.0, channel * factor) for channel in colour)
    return r, g, b


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` of the second, 0..1."""
    r, g, b = (a + (b - a) * share for a, b in zip(first, second))
    return r, g, b


def fractal(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    octaves: int = 3,
    stretch: float = 1.0,
) -> np.ndarray:
    """Sum smooth noise of halving grain.

    Args:
        rng: Source of randomness.
        height: Rows, px.
        width: Columns, px.
        cell: Size of the coarsest grain, px.
        octaves: How many grains to sum.
        stretch: How much wider than tall the grain is.

    Returns:
        (height, width) float32, about -1..1.
    """
    total = np.zeros((height, width), np.float32)
    strength = 1.0
    for _ in range(octaves):
        rows = min(height, int(height / cell) + 3)
        cols = min(width, int(width / (cell * stretch)) + 3)
        grid = rng.random((max(rows, 2), max(cols, 2)), dtype=np.float32) * 2 - 1
        total += strength * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cell = max(cell / 2, 1.0)
        strength *= 0.6
    return total
