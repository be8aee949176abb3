"""Makes the pictures that the playground's page needs: 50 captchas, 500 test digits, and two photos to try.

    python -m bin.make_playground_pictures --out=tf2cases/playground/static/assets

Captchas and digits are one PNG each, with equal tiles row by row; a JSON file beside it says what the tiles show. The
captchas are drawn from a fixed seed, the digits are the first 50 of each kind in the bundled test set, and the photos
are the drawings in testdata/masks on a plain background.
"""

import io
import json
import os
import sys
from typing import Any

import numpy as np
from absl import flags
from PIL import Image

from tf2cases import files
from tf2cases.configs import path_flags
from tf2cases.data import mnist, source
from tf2cases.data.captchas import generated
from tf2cases.data.captchas.workers import Workers
from tf2cases.programs import program

_STREAM, _SEED = "playground", 0
_CAPTCHAS = {"digits": 25, "alnum": 25}
_COLORS = 64  # of the captchas: a quarter of the bytes of a PNG in full colour
_PER_DIGIT = 50
_PHOTOS = {"teapot": (236, 229, 216), "tree": (222, 233, 242)}  # the colours of the background
_PHOTO_SIDE = 480


def define(values: flags.FlagValues) -> None:
    folder = "tf2cases/playground/static/assets"
    path_flags.define("out", folder, "Folder for the pictures and the JSON files.", path_flags.FOLDER, values)


def main(values: flags.FlagValues) -> None:
    os.makedirs(values.out, exist_ok=True)
    for name, (sheet, facts) in (("captchas", captchas()), ("digits", digits())):
        _write(values.out, f"{name}.png", _encoded(sheet, "PNG", optimize=True))
        _write(values.out, f"{name}.json", (json.dumps(facts) + "\n").encode())
    for name, color in _PHOTOS.items():
        _write(values.out, f"{name}.jpg", _encoded(photo(name, color), "JPEG", quality=80, optimize=True))


def captchas() -> tuple[Image.Image, dict[str, Any]]:
    """The sheet of captchas, 160 x 60 each, and {"tile": [width, height], "columns": int, "texts": [str]}."""
    tiles, texts = [], []
    with Workers(1) as workers:
        for charset, count in _CAPTCHAS.items():
            kind = generated.make_kind(_STREAM, _SEED, charset)
            for text, data in workers.draw(kind, 0, count, "png"):
                tiles.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
                texts.append(text)
    sheet = Image.fromarray(_sheet(np.stack(tiles), 5)).quantize(_COLORS, dither=Image.Dither.NONE)
    return sheet, {"tile": [160, 60], "columns": 5, "texts": texts}


def digits() -> tuple[Image.Image, dict[str, Any]]:
    """The sheet of digits, 28 x 28 each, and {"tile": [width, height], "columns": int, "labels": str of digits}."""
    test = mnist.load_sample().test
    labels = test["labels"]
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == digit)[:_PER_DIGIT] for digit in range(10)]))
    sheet = Image.fromarray(_sheet(test["images"][chosen, :, :, 0], 25))
    return sheet, {"tile": [28, 28], "columns": 25, "labels": "".join(str(label) for label in labels[chosen])}


def photo(name: str, color: tuple[int, int, int]) -> Image.Image:
    """A mask of testdata on a square of one colour, RGB."""
    with Image.open(source.testdata_path(f"masks/{name}.png")) as image:
        ink = image.convert("RGBA")
        if image.mode == "L":  # black on white: its darkness is how much of it covers the background
            ink.putalpha(image.point(lambda value: 255 - value))
    ink.thumbnail((_PHOTO_SIDE - 40, _PHOTO_SIDE - 40))
    square = Image.new("RGBA", (_PHOTO_SIDE, _PHOTO_SIDE), color)
    square.alpha_composite(ink, ((_PHOTO_SIDE - ink.width) // 2, (_PHOTO_SIDE - ink.height) // 2))
    return square.convert("RGB")


def _sheet(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Tiles, uint8 [N, H, W, ...], side by side in rows of `columns`: uint8 [N / columns * H, columns * W, ...]."""
    rows = tiles.reshape(-1, columns, *tiles.shape[1:]).swapaxes(1, 2)
    return rows.reshape(len(rows) * tiles.shape[1], columns * tiles.shape[2], *tiles.shape[3:])


def _encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _write(folder: str, name: str, data: bytes) -> None:
    path = os.path.join(folder, name)
    with files.writing(path), files.replacing(path) as file:
        file.write(data)
    print(f"{path}: {len(data):,} bytes")


if __name__ == "__main__":
    program.run(sys.modules[__name__])
