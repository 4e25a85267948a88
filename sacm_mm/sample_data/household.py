"""Drawings of bottles, potted plants and screens."""

import math

import numpy as np

from sacm_mm.sample_data.canvas import Sprite
from sacm_mm.sample_data.pen import Pen, Point
from sacm_mm.sample_data.texture import hsv, mix, paint, shade


def bottle(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a wine, beer or water bottle."""
    pen = Pen(height, 0.46, tilt=rng.normal(0, 0.02))
    hue, strong, bright = [
        (0.33, 0.7, 0.35),
        (0.07, 0.8, 0.4),
        (0.56, 0.3, 0.75),
        (0.98, 0.6, 0.5),
        (0.13, 0.15, 0.8),
    ][rng.integers(5)]
    glass = hsv(hue + rng.normal(0, 0.02), strong, bright * rng.uniform(0.85, 1.2))
    wide, neck = rng.uniform(0.12, 0.2), rng.uniform(0.04, 0.06)
    shoulder, top = rng.uniform(0.5, 0.66), rng.uniform(0.74, 0.82)
    right = [(wide, 0.0), (wide, shoulder), (neck * 1.3, top), (neck, 0.99)]
    left = [(-x, y) for x, y in reversed(right)]
    pen.poly([*right, *left], glass, smooth=0)
    pen.ellipse(0, shoulder, wide, 0.05, glass)
    cap = paint(rng)
    pen.rect(-neck * 1.25, 0.93, neck * 1.25, 1.0, cap)
    low, high = rng.uniform(0.1, 0.2), shoulder - rng.uniform(0.04, 0.12)
    label = mix(paint(rng), (245, 240, 225), rng.uniform(0.2, 0.9))
    pen.rect(-wide, low, wide, high, label)
    pen.rect(
        -wide * 0.7, (low + high) / 2 - 0.03, wide * 0.7, (low + high) / 2 + 0.03, shade(label, 0.5)
    )
    shine = 0.5 * wide * (1 if sun > 0 else -1)
    pen.stroke([(shine, 0.05), (shine, shoulder - 0.02)], 0.02, mix(glass, (255, 255, 255), 0.5))
    return pen.cut_out(rng, sun * 2, grain=0.02, form=0.4)


def pottedplant(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a plant in a pot: sword leaves, a leafy bush or one with flowers."""
    pen = Pen(height, 1.0)
    tall, wide = rng.uniform(0.28, 0.4), rng.uniform(0.15, 0.22)
    _leaves(pen, rng, tall)
    if rng.random() < 0.6:
        clay = hsv(rng.uniform(0.02, 0.07), rng.uniform(0.5, 0.75), rng.uniform(0.5, 0.8))
    else:
        clay = paint(rng)
    pen.poly([(-wide * 0.68, 0), (-wide, tall - 0.04), (wide, tall - 0.04), (wide * 0.68, 0)], clay)
    pen.rect(-wide * 1.12, tall - 0.08, wide * 1.12, tall, shade(clay, 1.12))
    return pen.cut_out(rng, sun * 1.5, grain=0.1, form=0.3)


def _leaves(pen: Pen, rng: np.random.Generator, tall: float) -> None:
    """Draw what grows out of a pot `tall` high."""
    green = hsv(rng.uniform(0.2, 0.42), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.6))
    swords = rng.random() < 0.4
    tips = []
    for angle in rng.permutation(np.linspace(-1.15, 1.15, int(rng.integers(11, 17)))):
        reach = rng.uniform(0.75, 1.0) * min((0.98 - tall), 0.47 / max(abs(math.sin(angle)), 0.3))
        bend = angle * (0.7 if swords else 1.0)
        tip = (reach * math.sin(bend), tall + reach * math.cos(bend))
        middle = (tip[0] * 0.42, tall + (tip[1] - tall) * 0.62)
        leaf = shade(green, rng.uniform(0.6, 1.4))
        thick = 0.035 if swords else 0.08
        pen.poly(
            [(0, tall - 0.03), (middle[0] - thick, middle[1]), tip, (middle[0] + thick, middle[1])],
            leaf,
            smooth=0 if swords else 1,
        )
        pen.stroke([(0, tall), middle], 0.01, shade(leaf, 0.7))
        tips.append(tip)
    if rng.random() < 0.35:
        petal = hsv(rng.choice([0.0, 0.12, 0.8, 0.92]), rng.uniform(0.3, 0.9), 0.9)
        for x, y in tips[::2]:
            pen.ellipse(x * 0.8, tall + (y - tall) * 0.8, 0.045, 0.045, petal)
            pen.ellipse(x * 0.8, tall + (y - tall) * 0.8, 0.015, 0.015, (240, 200, 60))


def tvmonitor(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a flat screen on its stand, switched on or off, seen a little from the side."""
    half = rng.uniform(0.55, 0.8)
    pen = Pen(height, 2 * half + 0.1, flip=rng.random() < 0.5)
    case = hsv(0.6, rng.uniform(0, 0.1), rng.choice([0.1, 0.18, 0.6, 0.85]))
    foot, squeeze, rim = rng.uniform(0.14, 0.22), rng.uniform(0, 0.1), rng.uniform(0.035, 0.06)
    pen.poly([(-0.28, 0), (-0.22, 0.05), (0.22, 0.05), (0.28, 0)], shade(case, 0.8))
    pen.rect(-0.06, 0.04, 0.06, foot + 0.02, shade(case, 0.7))

    def panel(points: list[Point]) -> list[Point]:
        """Map the unit square to the panel, whose right side is farther away."""
        middle, tall = (1 + foot) / 2, 1 - foot
        return [
            (-half + 2 * half * u, middle + (v - 0.5) * tall * (1 - squeeze * u)) for u, v in points
        ]

    pen.poly(panel(_box(0, 0, 1, 1)), case)
    left, bottom, right, top = rim / 1.5, rim * 1.6, 1 - rim / 1.5, 1 - rim
    off = rng.random() < 0.35
    screen = (28.0, 32.0, 38.0) if off else paint(rng)
    for share in np.linspace(0, 1, 10, endpoint=False):
        tone = mix(screen, (255, 255, 255), 0.35 * share)
        pen.poly(panel(_box(left, bottom + (top - bottom) * share, right, top)), tone)
    if off:
        shine = [(0.2, bottom), (0.5, bottom), (0.7, top), (0.45, top)]
        pen.poly(panel(shine), (70, 76, 84))
    for _ in range(0 if off else int(rng.integers(1, 4))):
        x, y = rng.uniform(left, 0.6), rng.uniform(bottom, 0.6)
        wide, tall = rng.uniform(0.1, 0.3), rng.uniform(0.08, 0.3)
        pen.poly(panel(_box(x, y, x + wide, y + tall)), paint(rng))
    return pen.cut_out(rng, sun, grain=0.02, form=0.12)


def _box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
