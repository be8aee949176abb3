"""Draws docs/digit_stages.png: how a digit is found in photos, stage by stage.

    python docs/digit_stages.py

From top to bottom: the photo, the darkness against the paper around, the region that was chosen, the picture that the
network sees. The strokes are digits of the embedded MNIST set.
"""

import io
import os

import numpy as np
import tensorflow as tf
from PIL import Image

from tf2cases import viz
from tf2cases.benchmarks import digit_scenes
from tf2cases.data import digit_pictures, mnist
from tf2cases.data.pictures import ink

CONDITIONS = (
    *("pencil", "close_up_on_ruled_paper", "small_in_a_shadow", "two_shadows", "vignette", "desk_all_round"),
    *("printed_box", "chalk"),
)
WIDTH, HEIGHT = 120, 160


def main() -> None:
    digits = mnist.load_sample().test["images"][..., 0]
    tiles = []
    for number, name in enumerate(CONDITIONS):
        scene = digit_scenes.Scene.plain(np.random.default_rng(number))
        digit_scenes.CONDITIONS[name](scene)
        photo = Image.open(io.BytesIO(scene.one(digit_scenes.written(digits[number + 10]))))
        rgba = tf.constant(np.asarray(photo.convert("RGBA")))
        found, digit = ink.find(rgba), digit_pictures.find_digit(rgba)
        chosen = np.where(found.inside, found.weight, 0).argmax() + 1
        stages = [np.asarray(photo.convert("L")), found.darkness.numpy() * 255, (found.labels.numpy() == chosen) * 255]
        tiles.append([_tile(stage, (WIDTH, HEIGHT)) for stage in stages])
        tiles[-1].append(np.pad(_tile(digit.images[0, ..., 0].numpy() * 255, (112, 112)), [(24, 24), (4, 4)]))
    rows = np.array(tiles).transpose(1, 0, 2, 3).reshape(-1, HEIGHT, WIDTH, 1)
    here = os.path.dirname(os.path.abspath(__file__))
    viz.write_png(os.path.join(here, "digit_stages.png"), viz.montage(rows, len(CONDITIONS), border=2))


def _tile(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(picture.astype(np.uint8)).resize(size, Image.Resampling.BOX))


if __name__ == "__main__":
    main()
