"""Draws photos of handwritten digits under difficult conditions: shadows, desks, ruled paper, and others.

A condition changes a `Scene`, which then draws itself: paper, ruled lines, ink, light, whatever lies on top, and the
camera's blur, noise and JPEG compression.
"""

import dataclasses
import io
import os
from collections.abc import Callable, Sequence

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageFont

HEIGHT, WIDTH = 1600, 1200
_MARGIN = 0.12  # of each side, that desks may cover
_Y, _X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)

Glyph = Callable[[int], np.ndarray]  # height in pixels -> the ink's coverage, float [height, width] in [0, 1]


def typed(character: str, font: str) -> Glyph:
    """A character of a font file."""

    def draw(height: int) -> np.ndarray:
        face = ImageFont.truetype(font, int(height * 1.6))
        left, top, right, bottom = (int(edge) for edge in face.getbbox(character))
        picture = Image.new("L", (right - left + 20, bottom - top + 20))
        ImageDraw.Draw(picture).text((10 - left, 10 - top), character, 255, face)
        return _fitted(picture, height)

    return draw


def written(digit: np.ndarray) -> Glyph:
    """The strokes of a digit of MNIST, uint8 [28, 28], with sharp edges."""

    def draw(height: int) -> np.ndarray:
        large = Image.fromarray(digit).resize((336, 336), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(5))
        ink = np.clip((np.asarray(large, np.float32) / 255 - 0.35) / 0.15, 0, 1)
        return _fitted(Image.fromarray((ink * 255).astype(np.uint8)), height)

    return draw


def _fitted(picture: Image.Image, height: int) -> np.ndarray:
    picture = picture.crop(picture.getbbox())
    size = max(1, round(picture.width * height / picture.height)), height
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS), np.float32) / 255


def handwriting_fonts(folder: str) -> list[str]:
    """The font files in a folder and its sub-folders, sorted."""
    found = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if path.lower().endswith((".ttf", ".otf")))


@dataclasses.dataclass
class Scene:
    """A photo of a page, 1600x1200.

    Attributes:
      random: its source of chance.
      paper, ink: RGB colours in [0, 1].
      cover: how much of the paper the ink hides, in [0, 1].
      size: height of the digits, as a part of the page's.
      widen: pixels that strokes are wider on each side.
      lines: (distance, width, RGB colour, whether there are columns too) of ruled lines, in pixels, or None.
      light: float [1600, 1200], or 1.
      things: functions that put something on the page, float [1600, 1200, 3].
      box: distance of a printed box from the ink, in heights of the ink, or None.
      blur, noise: the camera's, in pixels and as a part of white.
      crop: what is left of the page around the ink, in heights of the ink, or None for the whole page.
      longest: the longer side of the file in pixels, or None.
      orientation: of the file's EXIF data; the file's pixels are turned the other way.
      quality: of the JPEG file.
    """

    random: np.random.Generator
    paper: np.ndarray
    ink: np.ndarray
    size: float
    blur: float
    quality: int
    cover: float = 1.0
    widen: int = 0
    noise: float = 0.012
    lines: tuple | None = None
    light: np.ndarray | float = 1.0
    things: list[Callable[[np.ndarray], np.ndarray]] = dataclasses.field(default_factory=list)
    box: float | None = None
    crop: float | None = None
    longest: int | None = None
    orientation: int = 1

    @classmethod
    def plain(cls, random: np.random.Generator) -> "Scene":
        """Black ink on white paper in even light."""
        paper = np.array([0.93, 0.93, 0.91]) * random.uniform(0.85, 1.05)
        ink = np.array([0.12, 0.12, 0.14]) * random.uniform(0.6, 1.4)
        return cls(
            random, paper, ink, random.uniform(0.25, 0.6), random.uniform(0.6, 1.4), int(random.integers(70, 95))
        )

    def one(self, glyph: Glyph) -> bytes:
        """The JPEG file of a photo with one digit, somewhere on the page."""
        widest = (1 - 2 * _MARGIN) * WIDTH
        ink = glyph(round(HEIGHT * self.size))
        if ink.shape[1] > widest:
            ink = glyph(round(HEIGHT * self.size * widest / ink.shape[1]))
        ink = self._widened(ink)
        free = [length * (1 - 2 * _MARGIN) - side for length, side in zip((HEIGHT, WIDTH), ink.shape, strict=True)]
        y, x = (
            int(length * _MARGIN + self.random.uniform(0, max(rest, 1)))
            for length, rest in zip((HEIGHT, WIDTH), free, strict=True)
        )
        return self._photo([(y, x, ink)])

    def rows(self, glyphs: Sequence[Sequence[Glyph]]) -> bytes:
        """The JPEG file of a photo with lines of digits."""
        pitch = (1 - 2 * _MARGIN) * HEIGHT / max(len(glyphs), 2)
        placed = []
        for row, line in enumerate(glyphs):
            step = (1 - 2 * _MARGIN) * WIDTH / max(len(line), 2)
            high = min(0.62 * pitch, 1.1 * step)
            for column, glyph in enumerate(line):
                ink = glyph(round(high * self.random.uniform(0.9, 1.1)))
                if ink.shape[1] > 0.72 * step:
                    ink = glyph(max(8, round(high * 0.72 * step / ink.shape[1])))
                y = (
                    HEIGHT * _MARGIN
                    + pitch * row
                    + (pitch - ink.shape[0]) / 2
                    + self.random.uniform(-0.05, 0.05) * pitch
                )
                x = (
                    WIDTH * _MARGIN
                    + step * column
                    + (step - ink.shape[1]) / 2
                    + self.random.uniform(-0.05, 0.05) * step
                )
                placed.append((int(y), int(x), ink))
        return self._photo(placed)

    def _widened(self, ink: np.ndarray) -> np.ndarray:
        if not self.widen:
            return ink
        picture = Image.fromarray((np.pad(ink, self.widen) * 255).astype(np.uint8))
        return np.asarray(picture.filter(ImageFilter.MaxFilter(2 * self.widen + 1)), np.float32) / 255

    def _photo(self, placed: Sequence[tuple[int, int, np.ndarray]]) -> bytes:
        page = np.ones([HEIGHT, WIDTH, 3], np.float32) * self.paper.astype(np.float32)
        page *= 1 + 0.01 * noise(self.random, 6)[..., None]
        if self.lines:
            distance, width, colour, columns = self.lines
            tilt, start = self.random.uniform(-0.02, 0.02), self.random.uniform(0, distance)
            ruled = (_Y + tilt * _X + start) % distance < width
            if columns:
                ruled |= (_X - tilt * _Y + start) % distance < width
            page[ruled] *= np.array(colour, np.float32)
        cover = np.zeros([HEIGHT, WIDTH], np.float32)
        for y, x, ink in placed:
            part = cover[y : y + ink.shape[0], x : x + ink.shape[1]]
            np.maximum(part, ink[: part.shape[0], : part.shape[1]], out=part)
        hidden = np.clip(cover * self.cover * (1 + 0.1 * noise(self.random, 4)), 0, 1)[..., None]
        page += hidden * (self.ink.astype(np.float32) - page)
        page *= np.asarray(self.light, np.float32)[..., None]
        for put in self.things:
            page = put(page)
        rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
        edges = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        photo = _picture(page)
        if self.box is not None:
            colour = tuple(int(255 * part) for part in self.paper * 0.5)
            ImageDraw.Draw(photo).rectangle(_wider(edges, self.box), outline=colour, width=4)
        photo = photo.filter(ImageFilter.GaussianBlur(self.blur))
        if self.crop is not None:
            photo = photo.crop(_wider(edges, self.crop))
        if self.longest is not None:
            photo.thumbnail((self.longest, self.longest), Image.Resampling.BOX)
        seen = np.asarray(photo, np.float32) / 255
        seen = seen + self.noise * self.random.standard_normal([*seen.shape[:2], 1], np.float32)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = self.orientation
        file = io.BytesIO()
        turn = {1: 0, 3: 180, 6: 90, 8: 270}[self.orientation]
        _picture(seen).rotate(turn, expand=True).save(file, "JPEG", quality=self.quality, exif=exif)
        return file.getvalue()


def _wider(edges: tuple[int, int, int, int], by: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box that is larger on each side by a part of its height, within the page."""
    left, top, right, bottom = edges
    more = round(by * (bottom - top)) + 1
    return max(left - more, 0), max(top - more, 0), min(right + more, WIDTH), min(bottom + more, HEIGHT)


def _picture(page: np.ndarray) -> Image.Image:
    return Image.fromarray((np.clip(page, 0, 1) * 255).round().astype(np.uint8))


def noise(random: np.random.Generator, scale: int) -> np.ndarray:
    """Smooth noise, float32 [1600, 1200], of deviation about 1 and grains of `scale` pixels."""
    grains = random.standard_normal([HEIGHT // scale, WIDTH // scale], np.float32)
    return np.asarray(Image.fromarray(grains).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def edge(random: np.random.Generator, width: float) -> np.ndarray:
    """0 on one side of a line across the page and 1 on the other, with a transition of about `width` pixels."""
    return 1 / (1 + np.exp(-np.clip(_across(random) / max(width / 4, 0.5), -50, 50)))


def slope(random: np.random.Generator) -> np.ndarray:
    """From 0 to 1 across the page."""
    across = _across(random)
    return (across - across.min()) / np.ptp(across)


def _across(random):
    angle = random.uniform(0, 2 * np.pi)
    return (_X - WIDTH / 2) * np.cos(angle) + (_Y - HEIGHT / 2) * np.sin(angle) + random.uniform(-250, 250)


CONDITIONS: dict[str, Callable[[Scene], None]] = {}


def _condition(function: Callable[[Scene], None]) -> Callable[[Scene], None]:
    CONDITIONS[function.__name__] = function
    return function


@_condition
def clean(scene: Scene) -> None:
    """As it is."""


@_condition
def lined(scene: Scene) -> None:
    scene.lines = (scene.random.integers(50, 90), 3, (0.72, 0.8, 0.92), False)


@_condition
def squared(scene: Scene) -> None:
    scene.lines = (scene.random.integers(40, 70), 2, (0.75, 0.82, 0.92), True)


@_condition
def thick(scene: Scene) -> None:
    scene.widen = int(scene.random.integers(6, 14))


@_condition
def pencil(scene: Scene) -> None:
    scene.ink, scene.cover = np.array([0.45, 0.45, 0.47]), 0.8


@_condition
def blue_ink(scene: Scene) -> None:
    scene.ink = np.array([0.15, 0.2, 0.6])


@_condition
def red_ink(scene: Scene) -> None:
    scene.ink = np.array([0.75, 0.15, 0.15])


@_condition
def cream_paper(scene: Scene) -> None:
    scene.paper = np.array([0.93, 0.88, 0.74])


@_condition
def close_up_on_ruled_paper(scene: Scene) -> None:
    scene.size, scene.ink = scene.random.uniform(0.55, 0.72), np.array([0.25, 0.3, 0.7])
    columns = bool(scene.random.integers(2))
    scene.lines = (scene.random.integers(180, 300), scene.random.integers(5, 9), (0.55, 0.65, 0.85), columns)


@_condition
def small(scene: Scene) -> None:
    scene.size = scene.random.uniform(0.06, 0.12)


@_condition
def soft_shadow(scene: Scene) -> None:
    scene.light = 1 - 0.4 * edge(scene.random, scene.random.uniform(60, 300))


@_condition
def hard_shadow(scene: Scene) -> None:
    scene.light = 1 - 0.5 * edge(scene.random, 6)


@_condition
def shadow_in_uneven_light(scene: Scene) -> None:
    scene.light = (1 - 0.45 * edge(scene.random, scene.random.uniform(20, 200))) * (1 - 0.3 * slope(scene.random))


@_condition
def small_in_a_shadow(scene: Scene) -> None:
    shadow_in_uneven_light(scene)
    scene.size = scene.random.uniform(0.08, 0.16)


@_condition
def two_shadows(scene: Scene) -> None:
    scene.light = (1 - 0.35 * edge(scene.random, 30)) * (1 - 0.35 * edge(scene.random, 120))


@_condition
def light_from_one_side(scene: Scene) -> None:
    scene.light = 1 - 0.6 * slope(scene.random)


@_condition
def vignette(scene: Scene) -> None:
    scene.light = 1 - 0.75 * (((_X / WIDTH - 0.5) ** 2 + (_Y / HEIGHT - 0.5) ** 2) * 2)


@_condition
def desk_along_an_edge(scene: Scene) -> None:
    _desk(scene, [int(scene.random.integers(4))])


@_condition
def desk_along_two_edges(scene: Scene) -> None:
    _desk(scene, [0, 1])


@_condition
def desk_all_round(scene: Scene) -> None:
    _desk(scene, range(4))


@_condition
def light_desk_all_round(scene: Scene) -> None:
    _desk(scene, range(4), (0.62, 0.5, 0.36))


def _desk(scene, sides, colour=(0.25, 0.17, 0.1)):
    random = scene.random
    wood = np.array(colour, np.float32) * random.uniform(0.6, 1.4) * (1 + 0.15 * noise(random, 20)[..., None])
    distances = _X / WIDTH, _Y / HEIGHT, 1 - _X / WIDTH, 1 - _Y / HEIGHT
    covered = np.zeros([HEIGHT, WIDTH], bool)
    for side in sides:
        tilt = random.uniform(-0.015, 0.015) * (_Y / HEIGHT if side % 2 == 0 else _X / WIDTH)
        covered |= distances[side] + tilt < random.uniform(0.05, 0.1)
    scene.things.append(lambda page: np.where(covered[..., None], wood, page))


@_condition
def dark_edge_of_a_scan(scene: Scene) -> None:
    scene.things.append(lambda page: np.where(_X[..., None] < 12, np.float32(0.05), page))


@_condition
def frame(scene: Scene) -> None:
    outside = (np.minimum(_X, WIDTH - 1 - _X) < 2) | (np.minimum(_Y, HEIGHT - 1 - _Y) < 2)
    scene.things.append(lambda page: np.where(outside[..., None], np.float32(0), page))


@_condition
def dust(scene: Scene) -> None:
    specks = [scene.random.integers(20, size - 20, 5) for size in (HEIGHT, WIDTH)]

    def put(page):
        for y, x in zip(*specks, strict=True):
            page[y : y + 5, x : x + 5] = 0.05
        return page

    scene.things.append(put)


@_condition
def punched_holes(scene: Scene) -> None:
    hole = np.minimum(np.hypot(_X - 85, _Y - 0.2 * HEIGHT), np.hypot(_X - 85, _Y - 0.8 * HEIGHT)) < 25
    scene.things.append(lambda page: np.where(hole[..., None], np.array([0.12, 0.1, 0.08], np.float32), page))


@_condition
def crease(scene: Scene) -> None:
    scene.light = 1 - 0.15 * np.exp(-((_across(scene.random) / 8) ** 2))


@_condition
def finger(scene: Scene) -> None:
    tip = np.hypot(_X - scene.random.uniform(0.1, 0.9) * WIDTH, (_Y - HEIGHT) / 2) < 90
    scene.things.append(lambda page: np.where(tip[..., None], np.array([0.8, 0.6, 0.5], np.float32), page))


@_condition
def chalk(scene: Scene) -> None:
    scene.paper, scene.ink, scene.cover = np.array([0.12, 0.2, 0.16]), np.array([0.85, 0.85, 0.8]), 0.85


@_condition
def whiteboard(scene: Scene) -> None:
    scene.paper, scene.ink = np.array([0.8, 0.82, 0.85]), np.array([0.1, 0.3, 0.15])
    y, x = scene.random.uniform(0, HEIGHT), scene.random.uniform(0, WIDTH)
    glare = 0.4 * np.exp(-((_X - x) ** 2 + (_Y - y) ** 2) / (2 * 150**2))
    scene.things.append(lambda page: page + glare[..., None])


@_condition
def noisy(scene: Scene) -> None:
    scene.light, scene.noise, scene.quality = 0.6, 0.06, 50


@_condition
def blurred(scene: Scene) -> None:
    scene.blur = 5


@_condition
def turned_by_exif(scene: Scene) -> None:
    scene.orientation = int(scene.random.choice([3, 6, 8]))


@_condition
def margin_line(scene: Scene) -> None:
    lined(scene)
    left = scene.random.uniform(0.07, 0.11) * WIDTH
    line = (np.abs(_X - left) < 2)[..., None]
    scene.things.append(lambda page: np.where(line, page * np.array([0.95, 0.55, 0.55], np.float32), page))


@_condition
def printed_box(scene: Scene) -> None:
    scene.box, scene.size = scene.random.uniform(0.1, 0.3), scene.random.uniform(0.2, 0.45)


@_condition
def printed_text(scene: Scene) -> None:
    def put(page):
        photo = _picture(page)
        font = ImageFont.load_default(26)
        for row in range(3):
            place = 0.06 * WIDTH, (0.02 + 0.03 * row) * HEIGHT
            ImageDraw.Draw(photo).text(place, "Write one digit below. Use a dark pen.", (70, 70, 75), font)
        return np.asarray(photo, np.float32) / 255

    scene.things.append(put)


@_condition
def stain(scene: Scene) -> None:
    y, x = scene.random.uniform(0.2, 0.8, 2)
    ring = np.abs(np.hypot(_X - x * WIDTH, _Y - y * HEIGHT) - 220) < 9
    scene.things.append(lambda page: np.where(ring[..., None], page * np.array([0.85, 0.75, 0.6], np.float32), page))


@_condition
def cropped(scene: Scene) -> None:
    scene.crop = scene.random.uniform(0.02, 0.1)


@_condition
def marker(scene: Scene) -> None:
    scene.size, scene.widen = scene.random.uniform(0.5, 0.6), int(scene.random.integers(25, 45))


@_condition
def cropped_marker(scene: Scene) -> None:
    marker(scene)
    cropped(scene)


@_condition
def drawing_pad(scene: Scene) -> None:
    scene.paper, scene.ink = np.ones(3), np.zeros(3)
    scene.widen, scene.noise, scene.blur, scene.longest = int(scene.random.integers(5, 25)), 0.0, 0.0, 280


@_condition
def dark_drawing_pad(scene: Scene) -> None:
    drawing_pad(scene)
    scene.paper, scene.ink = scene.ink, scene.paper
