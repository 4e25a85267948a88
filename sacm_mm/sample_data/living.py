"""Drawings of people and sheep."""

import math

import numpy as np

from sacm_mm.sample_data.canvas import Sprite
from sacm_mm.sample_data.pen import METAL, TYRE, Pen
from sacm_mm.sample_data.texture import Colour, hsv, paint, shade


def person(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a standing or walking person."""
    pen = Pen(height, 0.78, flip=rng.random() < 0.5)
    body(pen, rng, hip=(0.0, 0.5), lean=rng.normal(0, 0.005), walking=True)
    return pen.cut_out(rng, sun, grain=0.08, form=0.3)


def bicyclist(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a person riding a bicycle, from the side; the bicycle is part of it."""
    pen = Pen(height, 1.1, flip=rng.random() < 0.5)
    frame, cloth = paint(rng), paint(rng)
    wheel, back, front = 0.18, -0.3, 0.3
    for hub in (back, front):
        rim = [
            (hub + wheel * math.cos(a), wheel + 0.01 + wheel * 0.98 * math.sin(a))
            for a in np.linspace(0, 2 * math.pi, 22)
        ]
        pen.stroke(rim, 0.028, TYRE)
        for a in np.linspace(0, math.pi, 4, endpoint=False):
            x, y = wheel * math.cos(a), wheel * math.sin(a)
            pen.stroke([(hub - x, wheel - y), (hub + x, wheel + y)], 0.006, METAL)
    seat, bars, pedal = (-0.14, 0.46), (0.22, 0.5), (-0.02, 0.2)
    pen.stroke([(back, wheel), seat, (0.2, 0.42), pedal, (back, wheel)], 0.026, frame)
    pen.stroke([pedal, seat], 0.026, frame)
    pen.stroke([(front, wheel), bars, (0.16, 0.52)], 0.026, frame)
    for phase in rng.uniform(0, 2 * math.pi) + np.array([0, math.pi]):
        foot = pedal[0] + 0.08 * math.cos(phase), pedal[1] + 0.08 * math.sin(phase)
        knee = (foot[0] + seat[0]) / 2 + 0.13, (foot[1] + seat[1]) / 2 + 0.03
        pen.stroke([seat, knee, foot], 0.06, cloth)
        pen.stroke([foot, (foot[0] + 0.05, foot[1])], 0.035, (40, 36, 36))
    pen.stroke([(0.02, 0.72), (0.14, 0.6), bars], 0.045, shade(cloth, 0.8))
    body(pen, rng, hip=(seat[0], 0.49), lean=0.016, walking=False)
    return pen.cut_out(rng, sun, grain=0.06, form=0.2)


def body(
    pen: Pen, rng: np.random.Generator, hip: tuple[float, float], lean: float, walking: bool
) -> None:
    """Draw a person from the hip up, and the legs where they walk."""
    skin = hsv(rng.uniform(0.04, 0.08), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.95))
    shirt = paint(rng)
    x, y = hip
    bulk = rng.uniform(0.85, 1.2)
    if walking:
        _legs(pen, rng, hip, bulk, skin)
    neck = x + 8 * lean, y + 0.31
    shoulder = 0.105 * bulk
    _arms(pen, rng, neck, shoulder, (skin, shade(shirt, 0.85)), waving=walking)
    if walking and rng.random() < 0.25:
        hem = y - 0.17
        pen.poly(
            [(x - 0.07, y + 0.05), (x + 0.07, y + 0.05), (x + 0.15, hem), (x - 0.15, hem)], shirt
        )
    pen.stroke([neck, (x + 9 * lean, neck[1] + 0.07)], 0.05, shade(skin, 0.85))
    right = [(neck[0] + shoulder * 1.25, neck[1] - 0.01), (x + 0.085 * bulk, y - 0.04)]
    left = [(x - 0.085 * bulk, y - 0.04), (neck[0] - shoulder * 1.25, neck[1] - 0.01)]
    pen.poly([*left, (neck[0], neck[1] + 0.045), *right], shirt, smooth=1)
    _head(pen, rng, (x + 9.6 * lean, neck[1] + 0.115), skin)


def _legs(
    pen: Pen, rng: np.random.Generator, hip: tuple[float, float], bulk: float, skin: Colour
) -> None:
    """Draw legs in trousers or shorts."""
    x, y = hip
    trousers = paint(rng)
    stride, bend = rng.uniform(0.01, 0.14), rng.uniform(0.0, 0.05)
    shin = skin if rng.random() < 0.3 else shade(trousers, 0.95)
    for side in (-1, 1):
        top = x + side * 0.045, y
        knee = x + side * (stride * 0.6) + bend, y * 0.52
        ankle = x + side * (stride + 0.03), 0.04
        pen.stroke([knee, ankle], 0.06, shin)
        pen.stroke([top, knee], 0.085 * bulk, trousers if side > 0 else shade(trousers, 0.85))
        pen.ellipse(ankle[0] + 0.025, 0.025, 0.06, 0.025, (48, 40, 38))


def _arms(
    pen: Pen,
    rng: np.random.Generator,
    neck: tuple[float, float],
    shoulder: float,
    colours: tuple[Colour, Colour],
    waving: bool,
) -> None:
    """Draw arms of (skin, sleeve) colour, one of them now and then `waving`."""
    skin, sleeve = colours
    angles = [(rng.uniform(-0.3, 0.5), rng.uniform(-0.2, 0.9)) for _ in range(2)]
    if waving and rng.random() < 0.12:
        angles[0] = (2.4, 2.8)
    for side, (upper, lower) in zip((-1, 1), angles):
        start = (neck[0] + side * shoulder, neck[1] - 0.02)
        elbow = (start[0] + side * 0.16 * math.sin(upper), start[1] - 0.16 * math.cos(upper))
        hand = (elbow[0] + side * 0.14 * math.sin(lower), elbow[1] - 0.14 * math.cos(lower))
        pen.stroke([elbow, hand], 0.04, skin)
        pen.stroke([start, elbow], 0.055, sleeve)
        pen.ellipse(*hand, 0.025, 0.025, skin)


def _head(pen: Pen, rng: np.random.Generator, at: tuple[float, float], skin: Colour) -> None:
    """Draw a head with short or long hair."""
    x, y = at
    hair = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.6))
    if rng.random() < 0.35:
        pen.ellipse(x, y - 0.03, 0.066, 0.088, hair)
    pen.ellipse(x, y + 0.016, 0.058, 0.058, hair)
    pen.ellipse(x + 0.006, y - 0.01, 0.05, 0.06, skin)
    for eye in (-0.012, 0.026):
        pen.ellipse(x + eye, y - 0.002, 0.007, 0.006, shade(skin, 0.35))


def sheep(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a sheep from the side, grazing or looking up."""
    pen = Pen(height, 1.75, flip=rng.random() < 0.5)
    wool = hsv(rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.3), rng.uniform(0.6, 0.93))
    if rng.random() < 0.15:
        wool = hsv(0.07, 0.4, rng.uniform(0.25, 0.4))
    face = shade(wool, 0.9) if rng.random() < 0.4 else hsv(0.07, 0.25, rng.uniform(0.12, 0.3))
    step = rng.uniform(-0.04, 0.06)
    for x in (-0.38, -0.24, 0.2, 0.34):
        pen.stroke([(x, 0.4), (x + step, 0.02)], 0.065, shade(face, 0.9))
        step = -step
    up = rng.random() < 0.6
    head = (0.62, 0.78) if up else (0.66, 0.34)
    pen.stroke([(0.38, 0.66), head], 0.24, shade(wool, 0.85))
    for angle in np.linspace(0, 2 * np.pi, 15, endpoint=False):
        tone = shade(wool, 0.93 + 0.1 * math.sin(angle) + rng.normal(0, 0.03))
        pen.ellipse(0.45 * math.cos(angle), 0.6 + 0.2 * math.sin(angle), 0.16, 0.14, tone)
    pen.ellipse(0, 0.61, 0.47, 0.24, wool)
    for x, y in rng.uniform((-0.42, 0.45), (0.42, 0.8), (26, 2)):
        pen.ellipse(x, y, 0.05, 0.035, shade(wool, rng.uniform(0.86, 1.08)))
    pen.ellipse(-0.58, 0.62, 0.05, 0.1, wool)
    drop = -0.5 if up else -1.1
    nose = head[0] + 0.09 * math.cos(drop), head[1] + 0.09 * math.sin(drop)
    pen.ellipse(head[0] - 0.1, head[1] + 0.1, 0.1, 0.04, shade(face, 0.8), angle=2.7)
    pen.ellipse(*nose, 0.17, 0.09, face, angle=drop)
    pen.ellipse(head[0] - 0.02, head[1] + 0.09, 0.1, 0.07, wool)
    pen.ellipse(head[0] + 0.05, head[1] + 0.03, 0.016, 0.02, (10, 10, 10))
    return pen.cut_out(rng, sun, grain=0.16, form=0.4)
