"""Draws the two masks for word clouds: a black teapot on white, and an autumn tree on a transparent background.

    python -m bin.make_masks --out=testdata/masks

Both are drawn from a few curves at four times their size, then reduced; every run produces the same pixels.
"""

import os
import random
import sys

import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFilter

from tf2cases import files
from tf2cases.configs import path_flags
from tf2cases.programs import program

_FINER = 4


def define(values: flags.FlagValues) -> None:
    path_flags.define("out", "testdata/masks", "Folder for teapot.png and tree.png.", path_flags.FOLDER, values)


def main(values: flags.FlagValues) -> None:
    os.makedirs(values.out, exist_ok=True)
    for name, picture in (("teapot", teapot()), ("tree", tree())):
        path = os.path.join(values.out, f"{name}.png")
        with files.writing(path), files.replacing(path) as file:
            picture.save(file, "PNG", optimize=True)
        print(f"{path}: {picture.width} x {picture.height}, mode {picture.mode}, {os.path.getsize(path):,} bytes")


def teapot() -> Image.Image:
    """A black teapot on white with a smooth grey edge, mode L, 900 x 640."""
    width, height = 900, 640
    shape = Image.new("L", (width * _FINER, height * _FINER), 255)
    for x, y in _curve((660, 210), (900, 150), (900, 450), (640, 480)):  # handle
        _disc(shape, x, y, 31, 31, 0)
    spout = _curve((270, 470), (120, 430), (150, 250), (20, 200)) + _curve(
        (75, 165), (210, 190), (210, 300), (300, 300)
    )
    _blob(shape, spout, 0)
    _disc(shape, 440, 375, 275, 220, 0)  # belly
    _blob(shape, [(300, 570), (580, 570), (610, 625), (270, 625)], 0)  # foot
    _disc(shape, 440, 185, 170, 62, 0)  # lid
    _disc(shape, 440, 92, 52, 48, 0)  # knob
    return shape.reduce(_FINER)


def tree() -> Image.Image:
    """An opaque autumn tree on a transparent background, mode RGBA, 700 x 760."""
    width, height = 700, 760
    size = (width * _FINER, height * _FINER)
    crown, leaves, wood = Image.new("L", size), Image.new("RGB", size, (214, 96, 30)), Image.new("RGBA", size)
    for disc in ((350, 270, 290, 230), (180, 340, 150, 120), (520, 340, 150, 120), (350, 140, 190, 110)):
        _disc(crown, *disc, 255)
    # Spots from yellow at the top left, where the light falls, to dark red at the bottom right.
    draw = random.Random(7)
    for _ in range(420):
        x, y, radius = draw.uniform(40, 660), draw.uniform(10, 500), draw.uniform(18, 48)
        shade = min(1, max(0, (x / width + y / 500) / 2 + draw.gauss(0, 0.13)))
        _disc(leaves, x, y, radius, radius, _between(shade))
    leaves = leaves.filter(ImageFilter.GaussianBlur(6 * _FINER))
    trunk = _curve((290, 430), (310, 560), (300, 640), (230, 705)) + _curve(
        (470, 705), (400, 640), (390, 560), (410, 430)
    )
    _blob(wood, trunk, (96, 58, 32, 255))
    _blob(wood, [*_curve((60, 720), (200, 650), (500, 650), (640, 720)), (640, 752), (60, 752)], (74, 112, 46, 255))
    wood.paste(leaves, mask=crown)
    made = wood.reduce(_FINER)
    edge = made.getchannel("A").point(lambda value: 255 if value >= 128 else 0)
    made.putalpha(edge)
    return Image.composite(made, Image.new("RGBA", made.size), edge)


# Coordinates are those of the final picture; the image is `_FINER` times as large.


def _disc(image, x, y, across, along, fill):
    box = [(x - across) * _FINER, (y - along) * _FINER, (x + across) * _FINER, (y + along) * _FINER]
    ImageDraw.Draw(image).ellipse(box, fill=fill)


def _blob(image, points, fill):
    ImageDraw.Draw(image).polygon([(x * _FINER, y * _FINER) for x, y in points], fill=fill)


def _curve(start, first, second, end, count=120):
    """Points of a cubic Bezier curve."""
    t = np.linspace(0, 1, count)[:, None]
    parts = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
    points = sum(part * np.array(point) for part, point in zip(parts, (start, first, second, end), strict=True))
    return [tuple(point) for point in points]


def _between(shade):
    """Interpolates from yellow over orange and red to dark red, for shades from 0 to 1."""
    stops = np.array([(240, 190, 40), (232, 122, 28), (200, 56, 32), (120, 24, 36)])
    return tuple(int(np.interp(shade, np.linspace(0, 1, 4), stops[:, channel])) for channel in range(3))


if __name__ == "__main__":
    program.run(sys.modules[__name__])
