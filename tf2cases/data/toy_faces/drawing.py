"""Drawing faces from random numbers: shapes painted over each other, from back to front, on a batch of pictures.

Coordinates run from -1 to 1, to the right and down. Arrays are [n, height, width], numbers per picture [n, 1, 1],
colours [3, n, 1, 1] in [0, 1].
"""

import numpy as np

from tf2cases.data.toy_faces.canvas import Canvas, Numbers
from tf2cases.data.toy_faces.person import Person
from tf2cases.data.toy_faces.shapes import both, box, ellipse, smooth

VERSION = 1  # of the drawing; increment it when the same numbers yield other faces
DRAWS = 128  # random numbers per face; some are spare

_FRAMES = [(28, 28, 32), (92, 52, 30), (150, 146, 140), (126, 30, 42), (36, 52, 92)]


def draw(uniform: np.ndarray, size: int) -> np.ndarray:
    """Draws faces.

    Args:
      uniform: [n, DRAWS] numbers in [0, 1).
      size: side in pixels.

    Returns:
      uint8 [n, size, size, 3].
    """
    numbers, canvas = Numbers(uniform), Canvas(len(uniform), size)
    place = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1)[None]
    x, y = place[:, None, :], place[:, :, None]
    _background(canvas, numbers, x, y)
    person = Person(numbers, x, y)
    _draw_behind(canvas, numbers, person, x, y)
    _draw_head(canvas, numbers, person)
    for side in (-1, 1):
        _draw_eye(canvas, person, side)
    _draw_nose(canvas, person)
    _draw_beard(canvas, numbers, person)
    _draw_mouth(canvas, numbers, person)
    _draw_front_hair(canvas, numbers, person)
    _draw_glasses(canvas, numbers, person)
    pixels = canvas.pixels
    np.clip(pixels, 0, 1, out=pixels)
    return np.ascontiguousarray(np.moveaxis((pixels * 255 + 0.5).astype(np.uint8), 0, -1))


def _background(canvas: Canvas, numbers: Numbers, x: np.ndarray, y: np.ndarray) -> None:
    n = numbers
    first, second = n.colour((0.05, 0.42), (0.45, 0.95)), n.colour((0.05, 0.42), (0.3, 0.9))
    direction = n.between(0, 2 * np.pi)
    t = 0.5 + 0.36 * (np.cos(direction) * x + np.sin(direction) * y)
    canvas.pixels[:] = first + (second - first) * t
    canvas.pixels += n.between(0, 0.14) * np.exp(-1.2 * (x * x + y * y))


def _draw_behind(canvas: Canvas, numbers: Numbers, person: Person, x: np.ndarray, y: np.ndarray) -> None:
    """Long hair, shoulders, neck and ears."""
    n, p = numbers, person
    is_long = n.chance(0.12 + 0.63 * (1 - p.masculine))
    end, flare, wave, phase = n.between(0.35, 1.1), n.between(-0.05, 0.2), n.between(0, 0.05), n.between(0, 6.28)
    half = p.width * 1.16 + flare * np.maximum(p.v, 0) + wave * np.sin(9 * p.v + phase)
    falling = both(np.abs(p.u) - half, p.v - end, 0.14)
    crown = ellipse(p.u, p.v + 0.06, p.width * 1.16, p.height * 1.08)
    locks = np.where(p.v > -0.06, falling, crown)
    shadow = 0.62 + 0.1 * np.sin(p.u * n.between(18, 30) + phase)
    canvas.paint(p.hair * shadow, is_long * canvas.cover(locks))

    cloth = n.colour((0.15, 0.75), (0.2, 0.95))
    breadth = n.between(0.66, 0.82) + 0.1 * p.masculine
    middle = 0.6 * p.centre[0]
    shoulders = ellipse(x - middle, y - 1.32, breadth, n.between(0.46, 0.56))
    fold = 0.82 + 0.22 * smooth(-0.8, 0.8, (x - middle) * np.sign(p.light))
    canvas.paint(cloth * fold, canvas.cover(shoulders))
    neck_width = p.width * (n.between(0.44, 0.5) + 0.07 * p.masculine)
    neck = box(x - 0.8 * p.centre[0], y - 0.45, neck_width, n.between(0.4, 0.5), 0.16)
    under_chin = 0.62 + 0.3 * smooth(0.0, 0.3, p.head)
    canvas.paint(p.skin * under_chin, canvas.cover(neck))

    for side in (-1, 1):
        ear_u = side * p.width * 0.97 - 0.07 * p.turn
        ear = ellipse(p.u - ear_u, p.v - p.line - 0.06, 0.08, 0.13)
        canvas.paint(p.skin * (0.84 + 0.1 * side * p.light), canvas.cover(ear))
        inner = ellipse(p.u - ear_u - 0.012 * side, p.v - p.line - 0.06, 0.04, 0.08)
        canvas.paint(p.skin_dark, 0.5 * canvas.cover(inner))


def _draw_head(canvas: Canvas, numbers: Numbers, person: Person) -> None:
    n, p = numbers, person
    inside = canvas.cover(p.head)
    warm = np.array([1.0, 0.985, 0.96], np.float32)[:, None, None, None]
    canvas.paint(p.skin * p.shade * warm, inside)
    canvas.paint(p.skin_dark, 0.45 * inside * smooth(-0.07, 0.0, p.head))
    blush = n.between(0, 0.4) * p.skin[2]  # hardly visible on dark skin
    red = np.array([0.9, 0.38, 0.36], np.float32)[:, None, None, None]
    for side in (-1, 1):
        u, _ = p.at(side * 0.55)
        far = ((p.u - u) / 0.13) ** 2 + ((p.v - p.line - 0.22) / 0.1) ** 2
        canvas.paint(red, blush * inside * np.exp(-far))


def _draw_eye(canvas: Canvas, person: Person, side: int) -> None:
    p = person
    middle, narrow = p.at(side * p.eye_angle)
    narrow = np.clip(narrow, 0.5, 1.1)
    u, v = p.u - middle, p.v - p.line
    half = p.eye_width * narrow
    # The eye socket is darker; the lashes are the edge of the lid, visible above the white.
    canvas.paint(p.skin_dark, 0.4 * np.exp(-((u / (1.5 * half)) ** 2) - ((v + 0.02) / 0.1) ** 2))
    lashes = ellipse(u, v + 0.014, half + 0.012, p.eye_height + 0.012)
    canvas.paint(p.hair * 0.25 + p.skin_dark * 0.2, canvas.cover(lashes))
    opening = canvas.cover(ellipse(u, v, half, p.eye_height))
    white = np.full([3, 1, 1, 1], 0.95, np.float32) * (0.8 + 0.2 * p.lit)
    canvas.paint(white, opening)
    gu, gv = u - p.gaze[0], v - p.gaze[1]
    canvas.paint(p.iris, opening * canvas.cover(ellipse(gu, gv, p.iris_size * narrow, p.iris_size)))
    pupil = np.full([3, 1, 1, 1], 0.04, np.float32)
    canvas.paint(pupil, opening * canvas.cover(ellipse(gu, gv, 0.5 * p.iris_size * narrow, 0.5 * p.iris_size)))
    glint = np.ones([3, 1, 1, 1], np.float32)
    canvas.paint(glint, 0.9 * canvas.cover(ellipse(gu - 0.02 * np.sign(p.light), gv + 0.022, 0.016, 0.016)))

    outward = side * u
    curve = -p.brow_rise - p.brow_slant * 0.25 * outward + p.brow_arch * outward**2
    taper = p.brow_size * (1 - 0.45 * smooth(0.0, 0.16, outward))
    brow = np.maximum(np.abs(v - curve) - taper, np.abs(u) - 1.35 * half)
    canvas.paint(p.hair * 0.7, 0.92 * canvas.cover(brow))


def _draw_nose(canvas: Canvas, person: Person) -> None:
    p = person
    middle, _ = p.at(0.0)
    tip_u, tip_v = middle + 0.16 * p.turn, p.line + p.nose_length
    u, v = p.u - tip_u, p.v - tip_v
    # The bridge casts a shadow away from the light.
    along = smooth(-p.nose_length, -0.02, v) * (1 - smooth(0.0, 0.05, v))
    away = -np.sign(p.light) * u - 0.05 - 0.25 * np.maximum(v + 0.1, 0)
    canvas.paint(p.skin_dark, 0.55 * along * np.exp(-((away / 0.035) ** 2)))
    canvas.paint(p.skin_dark, 0.75 * canvas.cover(ellipse(u, v - 0.035, p.nose_width, 0.022)))
    bright = np.clip(p.skin * 1.2 + 0.06, 0, 1)
    canvas.paint(bright, 0.6 * p.shade * np.exp(-((u / 0.045) ** 2) - ((v + 0.015) / 0.045) ** 2))
    canvas.paint(bright, 0.3 * p.shade * np.exp(-((u / 0.03) ** 2) - ((v + 0.14) / 0.1) ** 2))
    for side in (-1, 1):
        nostril = ellipse(u - side * 0.55 * p.nose_width, v - 0.035, 0.018, 0.012)
        canvas.paint(p.skin_dark * 0.5, 0.8 * canvas.cover(nostril))


def _draw_beard(canvas: Canvas, numbers: Numbers, person: Person) -> None:
    n, p = numbers, person
    inside = canvas.cover(p.head + 0.005)
    bearded = p.masculine * n.chance(0.45)
    kind = n.between(0, 1)  # stubble, full, goatee, moustache
    middle, _ = p.at(0.0)
    u = p.u - middle
    low = p.v - p.mouth_line
    full = 0.1 - 0.55 * (p.u / p.width) ** 2 - low
    full = np.where(np.abs(low) < 0.2, np.minimum(full, ellipse(u, low + 0.075, 0.2, 0.05)), full)
    goatee = np.minimum(ellipse(u, low - 0.2, 0.15, 0.16), ellipse(u, low + 0.075, 0.17, 0.035))
    moustache = ellipse(u, low + 0.07 - 1.2 * u * u, 0.2, 0.04)
    shape = np.where(kind < 0.6, full, np.where(kind < 0.8, goatee, moustache))
    opacity = bearded * np.where(kind < 0.25, 0.35, 0.9)
    grain = 0.72 + 0.16 * p.lit + 0.07 * np.sin(41 * p.u + 17 * p.v) * np.sin(37 * p.v - 11 * p.u)
    canvas.paint(p.hair * grain, opacity * inside * np.clip(0.5 - shape / 0.05, 0, 1))


def _draw_mouth(canvas: Canvas, numbers: Numbers, person: Person) -> None:
    n, p = numbers, person
    middle, narrow = p.at(0.0)
    u = p.u - middle - 0.05 * p.turn
    half = n.between(0.13, 0.19) * np.clip(narrow, 0.6, 1)
    smile = n.between(-0.25, 1)
    opened = n.chance(0.45) * np.maximum(smile, 0.25) * n.between(0.02, 0.075)
    upper, lower = n.between(0.014, 0.03), n.between(0.022, 0.042)
    across = 1 - np.minimum((u / half) ** 2, 1)
    # A smile raises the corners; the lips get thinner towards the corners.
    v = p.v - p.mouth_line - 0.07 * smile * (across - 0.6)
    beyond = np.abs(u) - half
    lips = np.maximum(np.maximum(-v - (upper + 0.3 * opened) * across, v - (lower + opened) * across), beyond)
    rouge = n.between(0.15, 0.45) + 0.3 * (1 - p.masculine)
    red = n.colour((0.6, 0.8), (0.6, 0.8))
    red[0], red[1], red[2] = red.max(0), red.min(0), red.min(0) + 0.06
    canvas.paint(p.skin * 0.78 + (red - p.skin * 0.78) * rouge, canvas.cover(lips) * 0.95)
    dark = np.array([0.28, 0.08, 0.09], np.float32)[:, None, None, None]
    gap = np.maximum(np.maximum(-v - 0.2 * opened * across, v - opened * across), beyond) - 0.006
    canvas.paint(dark, canvas.cover(gap))
    teeth = np.maximum(np.maximum(-v - 0.16 * opened * across, v - 0.5 * opened * across), beyond + 0.02)
    canvas.paint(np.full([3, 1, 1, 1], 0.95, np.float32), np.where(opened > 0.02, canvas.cover(teeth), 0))
    canvas.paint(p.skin_dark, 0.3 * np.exp(-((u / (0.6 * half)) ** 2) - ((v - lower - opened - 0.05) / 0.025) ** 2))


def _draw_front_hair(canvas: Canvas, numbers: Numbers, person: Person) -> None:
    n, p = numbers, person
    bald = n.chance(0.14) * p.masculine
    thick = n.between(0.03, 0.13)
    curly = n.chance(0.2)
    volume = thick + curly * n.between(0.02, 0.12)
    angle = np.arctan2(p.u, -p.v)
    bumps = curly * 0.022 * np.sin(n.between(12, 18) * angle + n.between(0, 6.28))
    outline = ellipse(p.u, p.v + 0.04, p.width + 0.05 + 0.6 * volume, p.height - 0.02 + volume) + bumps
    # The hairline: how low it hangs in the middle, where its middle is, and how it falls to the sides.
    fringe = n.chance(0.3)
    hang = np.where(fringe > 0, n.between(-0.32, -0.2), n.between(-0.52, -0.36))
    part = np.where(fringe > 0, 0, n.around(0, 0.32)) + 0.3 * p.width * np.sin(p.turn)
    fall = np.where(fringe > 0, n.between(0.15, 0.4), n.between(0.5, 1.0))
    offset = (p.u - part) / p.width
    strands = 0.015 * np.sin(n.between(20, 34) * p.u + n.between(0, 6.28))
    line = hang + fall * np.minimum(np.abs(offset), 1.4) ** 2.2 + strands
    # The hair stays above the brows, but reaches down to the ears beside the eyes.
    beside = smooth(0.74, 1.0, np.abs(p.u) / p.half_width)
    lowest = p.line - 0.15 + beside * n.between(0.14, 0.34)
    shape = np.maximum(outline, (p.v - np.minimum(line, lowest)) * 0.8)
    high = smooth(0.35, -0.65, p.v)
    sheen = np.exp(-(((np.sqrt(p.u**2 + (p.v + 0.1) ** 2) - 0.48) / 0.09) ** 2))
    toward = 0.5 + 0.5 * np.clip(p.u / p.width * np.sign(p.light), -1, 1)
    tone = 0.66 + 0.2 * high + 0.2 * toward + 8 * strands * (1 - curly)
    coat = p.hair * tone + 0.14 * sheen * toward
    canvas.paint(coat, (1 - bald) * canvas.cover(shape))


def _draw_glasses(canvas: Canvas, numbers: Numbers, person: Person) -> None:
    n, p = numbers, person
    worn = n.chance(0.22)
    dark = n.chance(0.25)
    frame = n.one_of(_FRAMES)
    half_height, corner = n.between(0.095, 0.13), n.between(0.03, 0.095)
    rim = n.between(0.012, 0.022)
    v = p.v - p.line - 0.02
    inner = []
    for side in (-1, 1):
        middle, narrow = p.at(side * p.eye_angle)
        half = 0.165 * np.clip(narrow, 0.55, 1.05)
        lens = box(p.u - middle, v, half, half_height, np.minimum(corner, half))
        tint = np.array([0.1, 0.12, 0.15], np.float32)[:, None, None, None]
        canvas.paint(tint, worn * (0.06 + 0.8 * dark) * canvas.cover(lens))
        shine = np.exp(-(((p.u - middle + v + 0.04) / 0.03) ** 2))
        canvas.paint(np.ones([3, 1, 1, 1], np.float32), worn * 0.28 * shine * canvas.cover(lens))
        canvas.paint(frame, worn * canvas.cover(np.abs(lens) - rim))
        outer = middle + side * half
        inner.append(middle - side * half)
        temple = np.maximum(np.abs(v + 0.03) - 0.8 * rim, np.maximum(side * (outer - p.u), p.head))
        canvas.paint(frame * 0.9, worn * canvas.cover(temple))
    bridge = np.maximum(
        np.abs(v + 0.03 - 0.8 * (p.u - sum(inner) / 2) ** 2) - rim, np.maximum(inner[0] - p.u, p.u - inner[1])
    )
    canvas.paint(frame, worn * canvas.cover(bridge))
