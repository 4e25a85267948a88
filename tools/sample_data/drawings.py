"""Drawings of one object, `height` px tall, lit from `sun` (-1 left, 1 right), varied by chance."""

import math
from collections.abc import Callable

import numpy as np

from sample_data.pen import Pen, Sprite, hsv, paint, shade

Rng = np.random.Generator
Drawing = Callable[[Rng, float, float], Sprite]

GLASS, DARK, METAL, WHITE = (64, 78, 92), (36, 36, 38), (150, 152, 156), (243, 242, 236)
RED, LAMP = (196, 28, 30), (250, 240, 205)


def drawing(width: float, *shapes: tuple) -> Drawing:
    """Make a drawing of shapes: a method of `Pen`, a colour or a shade of its own, the numbers."""

    def draw(rng: Rng, height: float, sun: float) -> Sprite:
        pen = Pen(height, width, rng.uniform(0.88, 1) * rng.choice([-1, 1]))
        own = paint(rng)
        for how, tone, *numbers in shapes:
            getattr(pen, how)(tone if isinstance(tone, tuple) else shade(own, tone), *numbers)
        return pen.cut_out(rng, sun)

    return draw


car = drawing(
    1.4,
    ('rect', DARK, -0.6, 0.0, -0.4, 0.25),
    ('rect', DARK, 0.4, 0.0, 0.6, 0.25),
    ('poly', 0.92, -0.58, 0.55, -0.43, 0.98, 0.43, 0.98, 0.58, 0.55),
    ('poly', GLASS, -0.49, 0.58, -0.38, 0.91, 0.38, 0.91, 0.49, 0.58),
    ('poly', 1, -0.6, 0.12, -0.6, 0.52, -0.54, 0.6, 0.54, 0.6, 0.6, 0.52, 0.6, 0.12),
    ('rect', 0.5, -0.6, 0.12, 0.6, 0.24),
    ('ellipse', LAMP, -0.48, 0.45, 0.1, 0.06),
    ('ellipse', LAMP, 0.48, 0.45, 0.1, 0.06),
    ('rect', DARK, -0.28, 0.32, 0.28, 0.44),
    ('rect', WHITE, -0.14, 0.22, 0.14, 0.3),
)
lamp_post = drawing(
    0.3,
    ('stroke', METAL, 0.022, 0, 0, 0, 0.99),
    ('stroke', METAL, 0.014, 0, 0.95, 0.05, 0.985, 0.12, 0.985),
    ('ellipse', LAMP, 0.12, 0.975, 0.035, 0.012),
)
post = drawing(0.1, ('stroke', METAL, 0.045, 0, 0, 0, 1))
sign = drawing(1.15, ('ellipse', RED, 0, 0.5, 0.5, 0.5), ('ellipse', WHITE, 0, 0.5, 0.37, 0.37))
litter_bin = drawing(
    0.75,
    ('poly', 0.6, -0.26, 0, -0.33, 0.85, 0.33, 0.85, 0.26, 0),
    ('rect', 0.8, -0.36, 0.83, 0.36, 1),
)


def person(rng: Rng, height: float, sun: float) -> Sprite:
    """Draw a standing or walking person."""
    pen = Pen(height, 0.78, rng.choice([-1, 1]))
    trousers, stride = paint(rng), rng.uniform(0.01, 0.14)
    for side in (-1, 1):
        knee, ankle = (side * stride * 0.6 + 0.02, 0.26), (side * (stride + 0.03), 0.04)
        pen.stroke(shade(trousers, 0.95), 0.06, *knee, *ankle)
        pen.stroke(shade(trousers, 1 + 0.1 * side), 0.085, side * 0.045, 0.5, *knee)
        pen.ellipse(DARK, ankle[0] + 0.025, 0.025, 0.06, 0.025)
    _torso(pen, rng, 0.0, 0.5, lean=0.0)
    return pen.cut_out(rng, sun, grain=0.08)


def bicyclist(rng: Rng, height: float, sun: float) -> Sprite:
    """Draw a person riding a bicycle, from the side; the bicycle is part of it."""
    pen = Pen(height, 1.1, rng.choice([-1, 1]))
    frame, cloth, turn = paint(rng), paint(rng), np.linspace(0, 2 * math.pi, 22)
    for hub in (-0.3, 0.3):
        rim = np.stack([hub + 0.18 * np.cos(turn), 0.19 + 0.176 * np.sin(turn)], 1)
        pen.stroke(DARK, 0.028, *rim.ravel())
    pen.stroke(frame, 0.026, -0.3, 0.18, -0.14, 0.46, 0.2, 0.42, -0.02, 0.2, -0.3, 0.18)
    pen.stroke(frame, 0.026, 0.3, 0.18, 0.22, 0.5, 0.16, 0.52)
    pen.stroke(cloth, 0.06, -0.14, 0.46, 0.06, 0.36, -0.02, 0.13)
    pen.stroke(shade(cloth, 0.8), 0.06, -0.14, 0.46, 0.1, 0.42, 0.0, 0.26)
    pen.stroke(shade(cloth, 0.8), 0.045, 0.02, 0.72, 0.14, 0.6, 0.22, 0.5)
    _torso(pen, rng, -0.14, 0.49, lean=0.016)
    return pen.cut_out(rng, sun)


def _torso(pen: Pen, rng: Rng, x: float, y: float, lean: float) -> None:
    """Draw a person from the hip at x, y up."""
    skin = hsv(rng.uniform(0.04, 0.08), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.95))
    hair = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.6))
    shirt, wide = paint(rng), rng.uniform(0.09, 0.125)
    at, up = x + 8 * lean, y + 0.31
    for side in (-1, 1):
        swing, bent = rng.uniform(-0.3, 0.5), rng.uniform(-0.2, 0.9)
        shoulder = (at + side * wide, up - 0.02)
        elbow = shoulder[0] + side * 0.16 * math.sin(swing), shoulder[1] - 0.16 * math.cos(swing)
        hand = elbow[0] + side * 0.14 * math.sin(bent), elbow[1] - 0.14 * math.cos(bent)
        pen.stroke(skin, 0.04, *elbow, *hand)
        pen.stroke(shade(shirt, 0.85), 0.055, *shoulder, *elbow)
    pen.stroke(shade(skin, 0.85), 0.05, at, up, x + 9 * lean, up + 0.07)
    left, right = (x - 0.085, y - 0.04, at - wide * 1.25, up), (at + wide * 1.25, up, x + 0.085, y)
    pen.poly(shirt, *left, at, up + 0.045, *right)
    pen.ellipse(hair, at - 0.006, up + 0.13, 0.058, 0.06)
    pen.ellipse(skin, at + 0.006, up + 0.105, 0.05, 0.06)
    for eye in (-0.012, 0.026):
        pen.ellipse(shade(skin, 0.35), at + eye, up + 0.113, 0.007, 0.006)


def pottedplant(rng: Rng, height: float, sun: float) -> Sprite:
    """Draw a plant in a pot: sword leaves or a leafy bush, one in three with flowers."""
    pen = Pen(height, 1.0)
    tall, wide, half = rng.uniform(0.28, 0.4), rng.uniform(0.15, 0.22), rng.choice([0.035, 0.08])
    green = hsv(rng.uniform(0.2, 0.42), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.6))
    petal = hsv(rng.choice([0.0, 0.12, 0.8, 0.92]), rng.uniform(0.3, 0.9), 0.9)
    flowers = rng.random() < 0.35
    for angle in rng.permutation(np.linspace(-1.1, 1.1, int(rng.integers(11, 17)))):
        reach = rng.uniform(0.75, 1.0) * min(0.98 - tall, 0.47 / max(abs(math.sin(angle)), 0.3))
        x, y, leaf = reach * math.sin(angle), reach * math.cos(angle), rng.uniform(0.6, 1.4)
        left, right, middle = x * 0.42 - half, x * 0.42 + half, tall + y * 0.62
        pen.poly(shade(green, leaf), 0, tall - 0.03, left, middle, x, tall + y, right, middle)
        pen.stroke(shade(green, 0.7 * leaf), 0.01, 0, tall, x * 0.42, middle)
        if flowers:
            pen.ellipse(petal, x * 0.8, tall + y * 0.8, 0.045, 0.045)
    clay = hsv(rng.uniform(0.02, 0.07), rng.uniform(0.3, 0.75), rng.uniform(0.5, 0.8))
    pen.poly(clay, -wide * 0.68, 0, -wide, tall - 0.04, wide, tall - 0.04, wide * 0.68, 0)
    pen.rect(shade(clay, 1.12), -wide * 1.12, tall - 0.08, wide * 1.12, tall)
    return pen.cut_out(rng, sun, grain=0.1)


def sheep(rng: Rng, height: float, sun: float) -> Sprite:
    """Draw a sheep from the side, grazing or looking up."""
    pen = Pen(height, 1.75, rng.choice([-1, 1]))
    bright = rng.uniform(0.25, 0.4) if rng.random() < 0.15 else rng.uniform(0.6, 0.93)
    wool = hsv(rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.3), bright)
    face = shade(wool, 0.9) if rng.random() < 0.4 else hsv(0.07, 0.25, rng.uniform(0.12, 0.3))
    for x, step in zip((-0.38, -0.24, 0.2, 0.34), rng.uniform(-0.06, 0.06, 4)):
        pen.stroke(shade(face, 0.9), 0.065, x, 0.4, x + step, 0.02)
    x, y, drop = (0.62, 0.78, -0.5) if rng.random() < 0.6 else (0.66, 0.34, -1.1)
    pen.stroke(shade(wool, 0.85), 0.24, 0.38, 0.66, x, y)
    for angle in np.linspace(0, 2 * np.pi, 15, endpoint=False):
        tone = shade(wool, 0.93 + 0.1 * math.sin(angle) + rng.normal(0, 0.03))
        pen.ellipse(tone, 0.45 * math.cos(angle), 0.6 + 0.2 * math.sin(angle), 0.16, 0.14)
    pen.ellipse(wool, 0, 0.61, 0.47, 0.24)
    for lock in rng.uniform((-0.42, 0.45), (0.42, 0.8), (26, 2)):
        pen.ellipse(shade(wool, rng.uniform(0.86, 1.08)), *lock, 0.05, 0.035)
    pen.ellipse(shade(face, 0.8), x - 0.1, y + 0.1, 0.1, 0.04, 2.7)
    pen.ellipse(face, x + 0.09 * math.cos(drop), y + 0.09 * math.sin(drop), 0.17, 0.09, drop)
    pen.ellipse(wool, x - 0.02, y + 0.09, 0.1, 0.07)
    pen.ellipse(DARK, x + 0.05, y + 0.03, 0.016, 0.02)
    return pen.cut_out(rng, sun, grain=0.16, form=0.4)


def tree(rng: Rng, height: float, sun: float) -> Sprite:
    """Draw a broad-leaved tree."""
    pen = Pen(height, 0.86)
    green = hsv(rng.uniform(0.18, 0.36), rng.uniform(0.35, 0.7), rng.uniform(0.28, 0.5))
    stem = rng.uniform(0.22, 0.34)
    pen.stroke((84, 68, 52), rng.uniform(0.035, 0.055), 0, 0.01, 0.01, stem + 0.2)
    for _ in range(32):
        angle, reach = rng.uniform(0, 2 * math.pi), math.sqrt(rng.random())
        x, y = 0.26 * reach * math.cos(angle), reach * ((1 - stem) / 2 - 0.1) * math.sin(angle)
        tone = shade(green, 0.85 + 0.5 * y + 0.3 * sun * x + rng.normal(0, 0.09))
        size = rng.uniform(0.06, 0.13)
        pen.ellipse(tone, x, (1 + stem) / 2 + y, size, size * rng.uniform(0.7, 1.0))
    return pen.cut_out(rng, sun, grain=0.24)
