"""Faces from numbers: shapes as signed distances, laid over each other, for many pictures at once.

A shape is a function of the place that is negative inside and grows by 1 a unit of length, at least near its edge;
where it is within half a pixel of 0, the shape covers the pixel in part. So edges are smooth at any size.

Places are from -1 to 1, to the right and down. Arrays are [n, height, width], numbers of a picture [n, 1, 1], colours
[3, n, 1, 1] in [0, 1].
"""

import numpy as np

VERSION = 1  # of the drawing; another one draws other faces from the same numbers
DRAWS = 128  # numbers a face has to itself; some are spare

_SKIN = [
    (255, 226, 205),
    (246, 203, 172),
    (232, 184, 148),
    (212, 158, 118),
    (176, 120, 82),
    (133, 86, 57),
    (88, 56, 40),
]
_HAIR = [
    (28, 24, 26),
    (48, 33, 27),
    (84, 54, 36),
    (122, 78, 46),
    (160, 108, 58),
    (212, 170, 104),
    (156, 68, 36),
    (150, 148, 148),
    (222, 218, 212),
]
_HAIR_SHARES = (0.2, 0.2, 0.17, 0.12, 0.07, 0.1, 0.06, 0.05, 0.03)
_EYES = [(74, 46, 28), (46, 30, 22), (70, 110, 150), (86, 124, 84), (120, 128, 136), (120, 84, 44)]
_FRAMES = [(28, 28, 32), (92, 52, 30), (150, 146, 140), (126, 30, 42), (36, 52, 92)]


class _Numbers:
    """Hands out a picture's numbers one after the other, each for one purpose."""

    def __init__(self, uniform):
        self._uniform, self._next = np.asarray(uniform, np.float32), 0

    def between(self, low, high):
        """[n, 1, 1], evenly from low to high."""
        column = self._uniform[:, self._next, None, None]
        self._next += 1
        return low + (high - low) * column

    def around(self, middle, spread):
        """[n, 1, 1], mostly near the middle and never further than `spread` from it."""
        return middle + spread * (self.between(-0.5, 0.5) + self.between(-0.5, 0.5))

    def chance(self, probability):
        """[n, 1, 1], 1 with that probability, else 0."""
        return (self.between(0, 1) < probability).astype(np.float32)

    def colour(self, saturation, value):
        """[3, n, 1, 1], any hue, with ranges of saturation and value."""
        hue, s, v = self.between(0, 6), self.between(*saturation), self.between(*value)
        return np.stack([v * (1 - s * np.clip(2 - np.abs((hue + k) % 6 - 3), 0, 1)) for k in (0, 4, 2)])

    def one_of(self, colours, shares=None):
        """[3, n, 1, 1], one of a list of bytes' colours."""
        shares = shares or [1 / len(colours)] * len(colours)
        chosen = np.searchsorted(np.cumsum(shares)[:-1], self.between(0, 1), side="right")
        return np.moveaxis(np.asarray(colours, np.float32)[chosen] / 255, -1, 0)

    def along(self, colours):
        """[3, n, 1, 1], anywhere on the way from the first to the last of a list of bytes' colours."""
        place = self.between(0, len(colours) - 1)
        below = np.minimum(place.astype(int), len(colours) - 2)
        rest = (place - below)[..., None]
        colours = np.asarray(colours, np.float32) / 255
        return np.moveaxis(colours[below] + (colours[below + 1] - colours[below]) * rest, -1, 0)


class _Canvas:
    """Pictures of one size, painted over from the back to the front."""

    def __init__(self, count, size):
        self.pixels = np.empty([3, count, size, size], np.float32)
        self._per_unit = size / 2

    def cover(self, distance):
        """How much of each pixel a shape covers, 0 to 1."""
        return np.clip(0.5 - distance * self._per_unit, 0, 1)

    def paint(self, colour, alpha):
        """Lays a colour [3, n, 1, 1], or one for each pixel, over the pictures, as opaque as `alpha` [n, h, w]."""
        for below, above in zip(self.pixels, colour, strict=True):
            below += alpha * (above - below)


def draw(uniform, size):
    """Draws faces.

    Args:
      uniform: [n, DRAWS] numbers in [0, 1).
      size: side in pixels.

    Returns:
      uint8 [n, size, size, 3].
    """
    numbers, canvas = _Numbers(uniform), _Canvas(len(uniform), size)
    place = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1)[None]
    x, y = place[:, None, :], place[:, :, None]
    _background(canvas, numbers, x, y)
    person = _Person(numbers, x, y)
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


def to_grey(faces):
    """uint8 [..., 3] to [..., 1]: 0.299 red + 0.587 green + 0.114 blue, rounded as Pillow does."""
    weights = np.array([19595, 38470, 7471], np.uint32)
    return ((faces @ weights + 32768) >> 16).astype(np.uint8)[..., None]


class _Person:
    """What several parts of a face depend on: pose, light, colours and the form of the head."""

    def __init__(self, numbers, x, y):
        n = numbers
        self.masculine = n.chance(0.5)
        self.centre = n.around(0, 0.12), n.around(0.02, 0.08)
        self.size = n.between(1.02, 1.18)
        tilt, self.turn = n.around(0, 0.3), n.around(0, 0.55)  # radians
        nod = n.around(0, 0.07)
        cos, sin = np.cos(tilt), np.sin(tilt)
        dx, dy = (x - self.centre[0]) / self.size, (y - self.centre[1]) / self.size
        self.u, self.v = cos * dx + sin * dy, cos * dy - sin * dx  # as the head sees it: to its left, and down

        self.width = n.between(0.42, 0.5) + 0.02 * self.masculine
        self.height = n.between(0.58, 0.66)
        jaw = n.between(0.12, 0.34) - 0.08 * self.masculine
        down = np.maximum(self.v / self.height, 0)
        self.half_width = self.width * (1 - jaw * np.minimum(down, 1.2) ** 2)
        self.head = _ellipse(self.u, self.v, self.half_width, self.height)

        light = n.between(-0.9, 0.9), n.between(-0.8, 0.1), 0.75
        length = np.sqrt(sum(part**2 for part in light))
        across, along = self.u / self.half_width, self.v / self.height
        toward = np.sqrt(np.maximum(1 - across**2 - along**2, 0.02))
        self.lit = np.clip((across * light[0] + along * light[1] + toward * light[2]) / length, 0, 1)
        self.light = light[0] / length
        strength = n.between(0.25, 0.6)
        self.shade = 1.06 - strength + strength * self.lit

        self.skin = np.clip(n.along(_SKIN) + np.stack([n.around(0, 0.03) for _ in range(3)]), 0, 1)
        self.skin_dark = self.skin * np.array([0.72, 0.6, 0.56], np.float32)[:, None, None, None]
        self.hair = np.clip(n.one_of(_HAIR, _HAIR_SHARES) * n.between(0.85, 1.15), 0, 1)
        self.iris = n.one_of(_EYES)

        # Parts of the face sit on a ball that is turned: at the angle 0.46 from its middle there is an eye.
        self.eye_angle = n.between(0.4, 0.5)
        self.line = -0.04 + nod + n.around(0, 0.03)  # of the eyes
        self.eye_width, self.eye_height = n.between(0.095, 0.125), n.between(0.04, 0.075)
        self.iris_size = n.between(0.048, 0.06)
        self.gaze = n.around(0, 0.035), n.around(0, 0.012)
        self.brow_rise, self.brow_slant = n.between(0.12, 0.16), n.around(-0.2, 0.4)
        self.brow_arch, self.brow_size = n.between(0.6, 3.0), n.between(0.01, 0.018) + 0.008 * self.masculine
        self.nose_length, self.nose_width = n.between(0.2, 0.27), n.between(0.055, 0.09)
        self.mouth_line = self.line + n.between(0.36, 0.42)

    def at(self, angle):
        """Where a part at an angle from the middle of the face is seen, and how narrow: (u, factor)."""
        return 0.88 * self.width * np.sin(angle + self.turn), np.cos(angle + self.turn) / np.cos(angle)


def _ellipse(u, v, half_width, half_height):
    """An ellipse, or where its half axes depend on the place, something like one."""
    a, b = u / half_width, v / half_height
    radius = np.sqrt(a * a + b * b)
    slope = np.sqrt((a / half_width) ** 2 + (b / half_height) ** 2)
    return radius * (radius - 1) / np.maximum(slope, 1e-4)


def _box(u, v, half_width, half_height, corner):
    """A rectangle with round corners."""
    return _both(np.abs(u) - half_width, np.abs(v) - half_height, corner)


def _both(first, second, corner):
    """Where two shapes overlap, with a round corner."""
    a, b = first + corner, second + corner
    outside = np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2)
    return outside + np.minimum(np.maximum(a, b), 0) - corner


def _smooth(low, high, values):
    """0 below `low`, 1 above `high`, a soft step between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _background(canvas, numbers, x, y):
    n = numbers
    first, second = n.colour((0.05, 0.42), (0.45, 0.95)), n.colour((0.05, 0.42), (0.3, 0.9))
    direction = n.between(0, 2 * np.pi)
    t = 0.5 + 0.36 * (np.cos(direction) * x + np.sin(direction) * y)
    canvas.pixels[:] = first + (second - first) * t
    canvas.pixels += n.between(0, 0.14) * np.exp(-1.2 * (x * x + y * y))


def _draw_behind(canvas, numbers, person, x, y):
    """Long hair, shoulders, neck and ears."""
    n, p = numbers, person
    is_long = n.chance(0.12 + 0.63 * (1 - p.masculine))
    end, flare, wave, phase = n.between(0.35, 1.1), n.between(-0.05, 0.2), n.between(0, 0.05), n.between(0, 6.28)
    half = p.width * 1.16 + flare * np.maximum(p.v, 0) + wave * np.sin(9 * p.v + phase)
    falling = _both(np.abs(p.u) - half, p.v - end, 0.14)
    crown = _ellipse(p.u, p.v + 0.06, p.width * 1.16, p.height * 1.08)
    locks = np.where(p.v > -0.06, falling, crown)
    shadow = 0.62 + 0.1 * np.sin(p.u * n.between(18, 30) + phase)
    canvas.paint(p.hair * shadow, is_long * canvas.cover(locks))

    cloth = n.colour((0.15, 0.75), (0.2, 0.95))
    breadth = n.between(0.66, 0.82) + 0.1 * p.masculine
    middle = 0.6 * p.centre[0]
    shoulders = _ellipse(x - middle, y - 1.32, breadth, n.between(0.46, 0.56))
    fold = 0.82 + 0.22 * _smooth(-0.8, 0.8, (x - middle) * np.sign(p.light))
    canvas.paint(cloth * fold, canvas.cover(shoulders))
    neck_width = p.width * (n.between(0.44, 0.5) + 0.07 * p.masculine)
    neck = _box(x - 0.8 * p.centre[0], y - 0.45, neck_width, n.between(0.4, 0.5), 0.16)
    under_chin = 0.62 + 0.3 * _smooth(0.0, 0.3, p.head)
    canvas.paint(p.skin * under_chin, canvas.cover(neck))

    for side in (-1, 1):
        ear_u = side * p.width * 0.97 - 0.07 * p.turn
        ear = _ellipse(p.u - ear_u, p.v - p.line - 0.06, 0.08, 0.13)
        canvas.paint(p.skin * (0.84 + 0.1 * side * p.light), canvas.cover(ear))
        inner = _ellipse(p.u - ear_u - 0.012 * side, p.v - p.line - 0.06, 0.04, 0.08)
        canvas.paint(p.skin_dark, 0.5 * canvas.cover(inner))


def _draw_head(canvas, numbers, person):
    n, p = numbers, person
    inside = canvas.cover(p.head)
    warm = np.array([1.0, 0.985, 0.96], np.float32)[:, None, None, None]
    canvas.paint(p.skin * p.shade * warm, inside)
    canvas.paint(p.skin_dark, 0.45 * inside * _smooth(-0.07, 0.0, p.head))
    blush = n.between(0, 0.4) * p.skin[2]  # hardly seen on dark skin
    red = np.array([0.9, 0.38, 0.36], np.float32)[:, None, None, None]
    for side in (-1, 1):
        u, _ = p.at(side * 0.55)
        far = ((p.u - u) / 0.13) ** 2 + ((p.v - p.line - 0.22) / 0.1) ** 2
        canvas.paint(red, blush * inside * np.exp(-far))


def _draw_eye(canvas, person, side):
    p = person
    middle, narrow = p.at(side * p.eye_angle)
    narrow = np.clip(narrow, 0.5, 1.1)
    u, v = p.u - middle, p.v - p.line
    half = p.eye_width * narrow
    # The socket lies deeper; the lashes are a lid's edge seen above the white.
    canvas.paint(p.skin_dark, 0.4 * np.exp(-((u / (1.5 * half)) ** 2) - ((v + 0.02) / 0.1) ** 2))
    lashes = _ellipse(u, v + 0.014, half + 0.012, p.eye_height + 0.012)
    canvas.paint(p.hair * 0.25 + p.skin_dark * 0.2, canvas.cover(lashes))
    opening = canvas.cover(_ellipse(u, v, half, p.eye_height))
    white = np.full([3, 1, 1, 1], 0.95, np.float32) * (0.8 + 0.2 * p.lit)
    canvas.paint(white, opening)
    gu, gv = u - p.gaze[0], v - p.gaze[1]
    canvas.paint(p.iris, opening * canvas.cover(_ellipse(gu, gv, p.iris_size * narrow, p.iris_size)))
    pupil = np.full([3, 1, 1, 1], 0.04, np.float32)
    canvas.paint(pupil, opening * canvas.cover(_ellipse(gu, gv, 0.5 * p.iris_size * narrow, 0.5 * p.iris_size)))
    glint = np.ones([3, 1, 1, 1], np.float32)
    canvas.paint(glint, 0.9 * canvas.cover(_ellipse(gu - 0.02 * np.sign(p.light), gv + 0.022, 0.016, 0.016)))

    outward = side * u
    curve = -p.brow_rise - p.brow_slant * 0.25 * outward + p.brow_arch * outward**2
    taper = p.brow_size * (1 - 0.45 * _smooth(0.0, 0.16, outward))
    brow = np.maximum(np.abs(v - curve) - taper, np.abs(u) - 1.35 * half)
    canvas.paint(p.hair * 0.7, 0.92 * canvas.cover(brow))


def _draw_nose(canvas, person):
    p = person
    middle, _ = p.at(0.0)
    tip_u, tip_v = middle + 0.16 * p.turn, p.line + p.nose_length
    u, v = p.u - tip_u, p.v - tip_v
    # The bridge throws a shadow away from the light.
    along = _smooth(-p.nose_length, -0.02, v) * (1 - _smooth(0.0, 0.05, v))
    away = -np.sign(p.light) * u - 0.05 - 0.25 * np.maximum(v + 0.1, 0)
    canvas.paint(p.skin_dark, 0.55 * along * np.exp(-((away / 0.035) ** 2)))
    canvas.paint(p.skin_dark, 0.75 * canvas.cover(_ellipse(u, v - 0.035, p.nose_width, 0.022)))
    bright = np.clip(p.skin * 1.2 + 0.06, 0, 1)
    canvas.paint(bright, 0.6 * p.shade * np.exp(-((u / 0.045) ** 2) - ((v + 0.015) / 0.045) ** 2))
    canvas.paint(bright, 0.3 * p.shade * np.exp(-((u / 0.03) ** 2) - ((v + 0.14) / 0.1) ** 2))
    for side in (-1, 1):
        nostril = _ellipse(u - side * 0.55 * p.nose_width, v - 0.035, 0.018, 0.012)
        canvas.paint(p.skin_dark * 0.5, 0.8 * canvas.cover(nostril))


def _draw_beard(canvas, numbers, person):
    n, p = numbers, person
    inside = canvas.cover(p.head + 0.005)
    bearded = p.masculine * n.chance(0.45)
    kind = n.between(0, 1)  # stubble, full, goatee, moustache
    middle, _ = p.at(0.0)
    u = p.u - middle
    low = p.v - p.mouth_line
    full = 0.1 - 0.55 * (p.u / p.width) ** 2 - low
    full = np.where(np.abs(low) < 0.2, np.minimum(full, _ellipse(u, low + 0.075, 0.2, 0.05)), full)
    goatee = np.minimum(_ellipse(u, low - 0.2, 0.15, 0.16), _ellipse(u, low + 0.075, 0.17, 0.035))
    moustache = _ellipse(u, low + 0.07 - 1.2 * u * u, 0.2, 0.04)
    shape = np.where(kind < 0.6, full, np.where(kind < 0.8, goatee, moustache))
    opacity = bearded * np.where(kind < 0.25, 0.35, 0.9)
    grain = 0.72 + 0.16 * p.lit + 0.07 * np.sin(41 * p.u + 17 * p.v) * np.sin(37 * p.v - 11 * p.u)
    canvas.paint(p.hair * grain, opacity * inside * np.clip(0.5 - shape / 0.05, 0, 1))


def _draw_mouth(canvas, numbers, person):
    n, p = numbers, person
    middle, narrow = p.at(0.0)
    u = p.u - middle - 0.05 * p.turn
    half = n.between(0.13, 0.19) * np.clip(narrow, 0.6, 1)
    smile = n.between(-0.25, 1)
    opened = n.chance(0.45) * np.maximum(smile, 0.25) * n.between(0.02, 0.075)
    upper, lower = n.between(0.014, 0.03), n.between(0.022, 0.042)
    across = 1 - np.minimum((u / half) ** 2, 1)
    # Corners up in a smile; the lips grow thin towards the corners.
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


def _draw_front_hair(canvas, numbers, person):
    n, p = numbers, person
    bald = n.chance(0.14) * p.masculine
    thick = n.between(0.03, 0.13)
    curly = n.chance(0.2)
    volume = thick + curly * n.between(0.02, 0.12)
    angle = np.arctan2(p.u, -p.v)
    bumps = curly * 0.022 * np.sin(n.between(12, 18) * angle + n.between(0, 6.28))
    outline = _ellipse(p.u, p.v + 0.04, p.width + 0.05 + 0.6 * volume, p.height - 0.02 + volume) + bumps
    # The hairline: how low it hangs in the middle, where its middle is, and how it falls to the sides.
    fringe = n.chance(0.3)
    hang = np.where(fringe > 0, n.between(-0.32, -0.2), n.between(-0.52, -0.36))
    part = np.where(fringe > 0, 0, n.around(0, 0.32)) + 0.3 * p.width * np.sin(p.turn)
    fall = np.where(fringe > 0, n.between(0.15, 0.4), n.between(0.5, 1.0))
    offset = (p.u - part) / p.width
    strands = 0.015 * np.sin(n.between(20, 34) * p.u + n.between(0, 6.28))
    line = hang + fall * np.minimum(np.abs(offset), 1.4) ** 2.2 + strands
    # Above the brows, but beside the eyes down to the ears.
    beside = _smooth(0.74, 1.0, np.abs(p.u) / p.half_width)
    lowest = p.line - 0.15 + beside * n.between(0.14, 0.34)
    shape = np.maximum(outline, (p.v - np.minimum(line, lowest)) * 0.8)
    high = _smooth(0.35, -0.65, p.v)
    sheen = np.exp(-(((np.sqrt(p.u**2 + (p.v + 0.1) ** 2) - 0.48) / 0.09) ** 2))
    toward = 0.5 + 0.5 * np.clip(p.u / p.width * np.sign(p.light), -1, 1)
    tone = 0.66 + 0.2 * high + 0.2 * toward + 8 * strands * (1 - curly)
    coat = p.hair * tone + 0.14 * sheen * toward
    canvas.paint(coat, (1 - bald) * canvas.cover(shape))


def _draw_glasses(canvas, numbers, person):
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
        lens = _box(p.u - middle, v, half, half_height, np.minimum(corner, half))
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
