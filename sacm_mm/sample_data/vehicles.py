"""Drawings of aeroplanes, boats and cars."""

import numpy as np

from sacm_mm.sample_data.canvas import Sprite
from sacm_mm.sample_data.pen import GLASS, METAL, TYRE, Pen
from sacm_mm.sample_data.texture import Colour, hsv, mix, paint, shade


def aeroplane(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw an airliner in flight, from the side; the height includes the tail fin."""
    pen = Pen(height, 3.3, flip=rng.random() < 0.5, tilt=rng.uniform(-0.25, 0.25))
    body = hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.65, 0.95))
    livery = paint(rng)
    fat = rng.uniform(0.12, 0.17)
    pen.poly([(0.5, 0.42), (1.0, 0.72), (1.15, 0.72), (0.85, 0.42)], shade(body, 0.6))
    pen.poly([(-1.5, 0.45), (-1.55, 0.98), (-1.3, 0.98), (-0.85, 0.46)], livery)
    nose, tail = [(1.2, 0.42 + fat), (1.6, 0.41)], [(-1.6, 0.5), (-1.3, 0.42 + fat)]
    belly = [(1.25, 0.42 - fat), (-0.8, 0.42 - fat)]
    pen.poly([*tail, *nose, *belly], body, smooth=2)
    pen.stroke([(-1.25, 0.4), (1.3, 0.4)], 0.035, livery)
    for x in np.arange(-0.95, 1.1, 0.17):
        pen.rect(x, 0.45, x + 0.07, 0.51, GLASS)
    pen.poly([(1.25, 0.45), (1.44, 0.45), (1.3, 0.53), (1.22, 0.53)], GLASS)
    pen.poly([(-1.25, 0.46), (-1.7, 0.32), (-1.5, 0.31), (-0.95, 0.42)], shade(body, 0.75))
    sweep = rng.uniform(-0.75, -0.35)
    wing = [(0.4, 0.38), (sweep, 0.02), (sweep - 0.28, 0.03), (-0.25, 0.38)]
    pen.poly(wing, shade(body, 0.72))
    pen.ellipse(sweep * 0.3 + 0.2, 0.2, 0.2, 0.07, shade(livery, 0.8))
    return pen.cut_out(rng, sun, grain=0.03)


def boat(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a sailing boat or a motor boat, from the side."""
    hull = paint(rng)
    sails = rng.random() < 0.55
    long = rng.uniform(0.38, 0.5) if sails else rng.uniform(0.85, 1.15)
    deep = rng.uniform(0.13, 0.18) if sails else rng.uniform(0.3, 0.36)
    pen = Pen(height, 2 * long + 0.1, flip=rng.random() < 0.5)
    if sails:
        cloth = hsv(rng.random(), rng.choice([0.04, 0.5]), rng.uniform(0.8, 0.98))
        pen.stroke([(0, deep), (0, 0.99)], 0.022, (92, 70, 48))
        pen.poly([(-0.03, 0.97), (-0.03, deep + 0.07), (-long * 0.85, deep + 0.08)], cloth)
        if rng.random() < 0.7:
            jib = [(0.02, 0.93), (0.02, deep + 0.08), (long * 0.85, deep + 0.04)]
            pen.poly(jib, shade(cloth, 0.86))
    else:
        cabin = hsv(rng.random(), 0.1, rng.uniform(0.75, 0.95))
        x = rng.uniform(-0.45, -0.2)
        pen.poly([(x - 0.3, deep), (x - 0.25, 0.72), (x + 0.4, 0.72), (x + 0.6, deep)], cabin)
        for window in (x - 0.15, x + 0.05, x + 0.25):
            pen.rect(window, 0.5, window + 0.14, 0.64, GLASS)
        pen.rect(x - 0.32, 0.71, x + 0.45, 0.77, shade(hull, 0.8))
        pen.stroke([(x, 0.75), (x, 0.98)], 0.03, METAL)
        pen.stroke([(0.35, deep + 0.1), (long * 0.92, deep + 0.12)], 0.02, METAL)
    bow = deep * 1.2
    outline = [(-long, deep), (-long * 0.9, 0), (long * 0.66, 0), (long, bow)]
    pen.poly(outline, hull)
    pen.poly(
        [(-long, deep), (-long * 0.98, deep * 0.8), (long * 0.93, bow * 0.8), (long, bow)],
        mix(hull, (255, 255, 255), 0.7),
    )
    pen.poly(
        [(-long * 0.92, deep * 0.2), (-long * 0.9, 0), (long * 0.66, 0), (long * 0.73, deep * 0.2)],
        shade(hull, 0.5),
    )
    return pen.cut_out(rng, sun, grain=0.04, form=0.15)


def car(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a car from the side, or one time in three from the front or the back."""
    if rng.random() < 0.33:
        return car_end_on(rng, height, sun)
    pen = Pen(height, 3.1, flip=rng.random() < 0.5)
    tone, long = paint(rng), rng.uniform(1.3, 1.5)
    waist, front, rear = rng.uniform(0.56, 0.62), rng.uniform(0.25, 0.5), rng.uniform(-1.0, -0.6)
    if rng.random() < 0.3:  # a van or an estate: the roof reaches the tail
        rear = -long + 0.12
    middle = (rear + front) / 2
    tail = max(rear - 0.28, -long + 0.03)
    pen.poly([(tail, waist), (rear, 0.98), (front, 0.98), (front + 0.5, waist)], shade(tone, 0.95))
    sill = waist + 0.02
    glass = [(rear - 0.1, sill), (rear + 0.08, 0.91), (front - 0.04, 0.91), (front + 0.33, sill)]
    pen.poly(glass, GLASS)
    for post in (middle, front - 0.05):
        pen.stroke([(post, waist), (post - 0.03, 0.93)], 0.055, shade(tone, 0.85))
    back = [(-long + 0.1, 0.14), (-long, 0.2), (-long + 0.02, waist - 0.03), (-long + 0.1, sill)]
    bonnet = [(front + 0.5, waist + 0.01), (long - 0.12, waist - 0.09)]
    pen.poly([*back, *bonnet, (long, 0.38), (long, 0.2), (long - 0.1, 0.14)], tone)
    pen.rect(-long + 0.05, 0.14, long - 0.05, 0.22, shade(tone, 0.5))
    for seam in (middle, front + 0.12):
        pen.stroke([(seam, 0.24), (seam, waist)], 0.012, shade(tone, 0.6))
    pen.rect(middle + 0.06, waist - 0.09, middle + 0.2, waist - 0.06, shade(tone, 0.55))
    pen.ellipse(long - 0.06, 0.42, 0.07, 0.05, (250, 240, 205))
    pen.rect(-long, 0.38, -long + 0.07, 0.5, (190, 30, 30))
    for hub in (-long * 0.62, long * 0.64):
        wheel = ((0.22, 0.26, shade(tone, 0.35)), (0.2, 0.205, TYRE), (0.2, 0.115, METAL))
        for y, radius, colour in wheel:
            pen.ellipse(hub, y, radius, radius, colour)
    return pen.cut_out(rng, sun, grain=0.03, form=0.22)


def car_end_on(rng: np.random.Generator, height: float, sun: float) -> Sprite:
    """Draw a car from the front or the back."""
    pen = Pen(height, 1.4)
    body, half, back = paint(rng), rng.uniform(0.56, 0.64), rng.random() < 0.5
    for x in (-half + 0.1, half - 0.1):
        pen.rect(x - 0.09, 0.0, x + 0.09, 0.25, TYRE)
    pen.poly(
        [(-half + 0.02, 0.55), (-half * 0.72, 0.98), (half * 0.72, 0.98), (half - 0.02, 0.55)],
        shade(body, 0.92),
        smooth=1,
    )
    pen.poly(
        [(-half * 0.82, 0.58), (-half * 0.64, 0.91), (half * 0.64, 0.91), (half * 0.82, 0.58)],
        GLASS,
    )
    pen.poly(
        [
            (-half, 0.12),
            (-half, 0.52),
            (-half + 0.06, 0.6),
            (half - 0.06, 0.6),
            (half, 0.52),
            (half, 0.12),
        ],
        body,
    )
    pen.rect(-half, 0.12, half, 0.24, shade(body, 0.5))
    lamp: Colour = (200, 30, 32) if back else (250, 242, 210)
    for side in (-1, 1):
        pen.ellipse(side * (half - 0.12), 0.45, 0.1, 0.06, lamp)
    if not back:
        pen.rect(-0.28, 0.32, 0.28, 0.44, (40, 40, 44))
    pen.rect(-0.14, 0.22, 0.14, 0.3, (232, 232, 222))
    return pen.cut_out(rng, sun, grain=0.03, form=0.22)
