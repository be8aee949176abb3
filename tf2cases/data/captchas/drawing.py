"""Drawing captchas with the `captcha` package, so that picture i of a set is a function of (stream, seed, i) only.

The package takes random numbers from the `secrets` module, which cannot be seeded. A worker process (see `workers`, the
only caller of `install`) replaces that module with `Draws` in the package's namespace. TensorFlow is not imported here,
so a worker starts in a fraction of a second.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import random
from collections.abc import Callable, Sequence
from typing import Any

import captcha.image
from PIL import Image, ImageFont

# Below these sizes, the characters, drawn 30 pixels wide and 40 high, are squeezed or cut until they are illegible.
MIN_CHARACTER_WIDTH = 15
MIN_HEIGHT = 30
MAX_SIDE = 4096
# Level 1 takes 0.5 ms and 8.8 KB per picture, zlib's default 0.8 ms and 8.0 KB.
_PNG_LEVEL = 1


def versions() -> dict[str, str]:
    """{package: version} of the packages that the pictures depend on."""
    return {name: importlib.metadata.version(name) for name in ("captcha", "pillow")}


class Draws:
    """A seeded replacement for `secrets`, with the three functions that `captcha.image` uses.

    It uses only `random.Random.random`, whose sequence Python guarantees to remain the same.
    """

    def __init__(self):
        self._random = random.Random()

    def start(self, stream: str, seed: int, index: int) -> None:
        """Seeds the draws of picture `index`; different streams and seeds have independent draws."""
        key = hashlib.sha256(f"{stream}/{seed}/{index}".encode()).digest()
        self._random.seed(int.from_bytes(key, "big"))

    def randbelow(self, n: int) -> int:
        return int(self._random.random() * n)

    def choice(self, sequence: Sequence) -> Any:
        return sequence[self.randbelow(len(sequence))]

    def randbits(self, k: int) -> int:
        return int(self._random.random() * 2**k)  # exact up to 53 bits; the package asks for 32


@dataclasses.dataclass(frozen=True)
class Kind:
    """The parameters of a set of captchas.

    Attributes:
      characters: the characters to choose from.
      length: characters per picture.
      width, height: of a picture, in pixels.
      stream: the purpose, such as "train"; sets of different streams share no draws, whatever their seeds.
      seed: int.
    """

    characters: str
    length: int
    width: int
    height: int
    stream: str
    seed: int

    def text(self, index: int, draws: Draws | None = None) -> str:
        """The text of picture `index`, taken from the picture's first draws."""
        draws = draws or Draws()
        draws.start(self.stream, self.seed, index)
        return "".join(draws.choice(self.characters) for _ in range(self.length))


def check(kind: Kind) -> None:
    """Raises ValueError if the pictures are too small or too large, or the package's font lacks a character."""
    least = MIN_CHARACTER_WIDTH * kind.length
    if not least <= kind.width <= MAX_SIDE:
        raise ValueError(
            f"width is {kind.width}, but must be from {least} to {MAX_SIDE} for {kind.length} characters of at least "
            f"{MIN_CHARACTER_WIDTH} pixels."
        )
    if not MIN_HEIGHT <= kind.height <= MAX_SIDE:
        raise ValueError(f"height is {kind.height}, but must be from {MIN_HEIGHT} to {MAX_SIDE}.")
    for path in captcha.image.DEFAULT_FONTS:
        font = ImageFont.truetype(path, 40)
        missing = _glyph(font, "\uffff")  # never a character, so this is the font's glyph for missing characters
        for character in kind.characters:
            if _glyph(font, character) in (missing, b""):
                raise ValueError(
                    f"charset has the character {character!r}, but the captcha package's font cannot draw it: "
                    "expected others, such as letters and digits."
                )


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(mask) if mask.getbbox() else b""


class Painter(captcha.image.ImageCaptcha):
    """Draws bit for bit as `ImageCaptcha` does, but skips spaces: a third of the characters, and invisible.

    The fonts are loaded once. Call `install` first.
    """

    def grey(self, text: str) -> bytes:
        """The picture as bytes [height * width]: 0.299 red + 0.587 green + 0.114 blue, rounded to the nearest.

        Pillow computes it with weights of 16 bits, (19595 r + 38470 g + 7471 b + 32768) >> 16.
        """
        return self.generate_image(text).convert("L").tobytes()

    def png(self, text: str) -> bytes:
        """The picture as a PNG file's bytes, in colour."""
        buffer = io.BytesIO()
        self.generate_image(text).save(buffer, "PNG", compress_level=_PNG_LEVEL)
        return buffer.getvalue()

    def _draw_character(self, c, draw, color):
        if c != " ":
            return super()._draw_character(c, draw, color)
        # The package's draws for one character: the font, the offset in x and y, the angle, and the two widths and four
        # corners of the warp. The resulting picture is transparent, but its width counts.
        draws = captcha.image.secrets
        font = draws.choice(self.truefonts)
        draws.randbelow(self.character_offset_dx[1] - self.character_offset_dx[0] + 1)
        draws.randbelow(self.character_offset_dy[1] - self.character_offset_dy[0] + 1)
        for _ in range(7):
            draws.randbits(32)
        return _space(font)


@functools.cache
def _space(font: ImageFont.FreeTypeFont) -> Image.Image:
    """The picture that the package draws for a space."""
    _, _, width, height = captcha.image.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((1, 1), " ", font=font)
    return Image.new("RGBA", (int(width), int(height)))


def install(draws: Draws) -> None:
    """Makes the captcha package take its random numbers from `draws`, in the whole process."""
    vars(captcha.image)["secrets"] = draws


def drawer(kind: Kind) -> Callable[[int, str], tuple[str, bytes]]:
    """Creates a worker's drawing function.

    Returns:
      A function (index, form) -> (text, bytes), form "grey" or "png" (see `Painter`).
    """
    draws = Draws()
    install(draws)
    painter = Painter(kind.width, kind.height)

    def draw(index: int, form: str) -> tuple[str, bytes]:
        text = kind.text(index, draws)
        return text, (painter.png if form == "png" else painter.grey)(text)

    return draw
