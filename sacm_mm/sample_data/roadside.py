"""Drawings of what stands along a street."""

import math

import numpy as np

from sacm_mm.sample_data.canvas import Sprite
from sacm_mm.sample_data.pen import Pen
from sacm_mm.sample_data.texture import hsv, shade


def tree(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a broad-leaved tree."""
    pen = Pen(height, 0.86)
    bark = hsv(0.07, rng.uniform(0.2, 0.5), rng.uniform(0.22, 0.4))
    green = hsv(rng.uniform(0.18, 0.36), rng.uniform(0.35, 0.7), rng.uniform(0.28, 0.5))
    stem = rng.uniform(0.22, 0.34)
    pen.stroke([(0, 0.01), (0.01, stem + 0.2)], rng.uniform(0.035, 0.055), bark)
    pen.stroke([(0, stem - 0.05), (0.14, stem + 0.16)], 0.025, bark)
    middle, rx, ry = (1 + stem) / 2, 0.26, (1 - stem) / 2 - 0.1
    for _ in range(int(rng.integers(26, 40))):
        angle, reach = rng.uniform(0, 2 * math.pi), math.sqrt(rng.random())
        x, y = reach * rx * math.cos(angle), middle + reach * ry * math.sin(angle)
        tone = shade(green, 0.85 + 0.5 * (y - middle) + 0.3 * sun * x + rng.normal(0, 0.09))
        size = rng.uniform(0.06, 0.13)
        pen.ellipse(x, y, size, size * rng.uniform(0.7, 1.0), tone)
    return pen.cut_out(rng, sun, grain=0.24, form=0.25)


def lamp_post(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a lamp post, or a bare pole one time in three."""
    pen = Pen(height, 0.3, flip=rng.random() < 0.5)
    tone = hsv(0.4, rng.uniform(0, 0.2), rng.uniform(0.25, 0.65))
    pen.stroke([(0, 0), (0, 0.99)], 0.022, tone)
    pen.rect(-0.02, 0, 0.02, 0.14, shade(tone, 0.85))
    if rng.random() < 0.67:
        pen.stroke([(0, 0.95), (0.05, 0.985), (0.12, 0.985)], 0.014, tone)
        pen.ellipse(0.12, 0.975, 0.035, 0.012, (235, 230, 205))
    return pen.cut_out(rng, sun, grain=0.02, form=0.1)


def post(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw the thin pole that carries a sign."""
    pen = Pen(height, 0.1)
    pen.stroke([(0, 0), (0, 1)], 0.045, hsv(0, 0, rng.uniform(0.4, 0.7)))
    return pen.cut_out(rng, sun, grain=0.02, form=0.1)


def sign(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw the plate of a road sign: round, triangular, square or a name plate."""
    kind = rng.integers(4)
    pen = Pen(height, 1.7 if kind == 3 else 1.15)
    red, white, blue = (196.0, 28.0, 30.0), (240.0, 240.0, 236.0), (28.0, 72.0, 168.0)
    if kind == 0:
        pen.ellipse(0, 0.5, 0.5, 0.5, red)
        pen.ellipse(0, 0.5, 0.37, 0.37, white)
        pen.rect(-0.2, 0.42, 0.2, 0.58, (30, 30, 30))
    elif kind == 1:
        pen.poly([(-0.56, 0.02), (0.56, 0.02), (0, 0.99)], red)
        pen.poly([(-0.36, 0.14), (0.36, 0.14), (0, 0.76)], white)
        pen.rect(-0.05, 0.2, 0.05, 0.52, (30, 30, 30))
    elif kind == 2:
        pen.rect(-0.5, 0, 0.5, 1, blue)
        pen.poly([(-0.22, 0.2), (0.22, 0.2), (0, 0.84)], white)
    else:
        pen.rect(-0.84, 0.08, 0.84, 0.92, (18, 104, 66))
        for y in (0.34, 0.66):
            pen.stroke([(-0.6, y), (0.6, y)], 0.09, white)
    return pen.cut_out(rng, sun, grain=0.02, form=0.08)


def litter_bin(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a litter bin: the street's unlabelled odds and ends."""
    pen = Pen(height, 0.75)
    tone = hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.5))
    pen.poly([(-0.26, 0), (-0.33, 0.85), (0.33, 0.85), (0.26, 0)], tone)
    pen.rect(-0.36, 0.83, 0.36, 1, shade(tone, 1.3))
    return pen.cut_out(rng, sun)
