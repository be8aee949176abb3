"""How often a digit model reads photos of digits rightly, under many conditions, and at what cost.

    python -m bin.benchmark digits --model=exports/mnist_cnn_best --data_dir=DIR --fonts=DIR --scenes=300

Each condition gets --scenes drawn photos of 1600x1200 pixels (see `digit_scenes`), in turn with a character of a font
and with the strokes of a digit of MNIST's test set. Without --fonts, all are digits of MNIST; without --data_dir, they
are those of the embedded set. Then come pages of 1 to 12 digits, which count if they are read whole, and --photos, a
folder of pictures without digits, which count if the confidence is below 0.5. The model's signatures are asked.

"CPU ms" is the processor time per photo of the whole answer; decoding the JPEG file is a part of it.
"""

import glob
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import digit_scenes
from tf2cases.configs import path_flags
from tf2cases.errors import UsageError

# These change the size of digits, or put a box around the ink.
_NOT_ON_PAGES = (
    *("small", "small_in_a_shadow", "close_up_on_ruled_paper", "thick", "marker", "cropped_marker"),
    *("drawing_pad", "dark_drawing_pad", "printed_box", "printed_text"),
)
_PAGE_SEED = 1000  # of the pages; the conditions have their numbers


def define(values: flags.FlagValues) -> None:
    path_flags.define("model", None, "Export of a digit model.", path_flags.FOLDER, values)
    path_flags.define("data_dir", None, "Folder with MNIST's files.", path_flags.FOLDER, values)
    path_flags.define("fonts", None, "Folder with fonts of handwriting.", path_flags.FOLDER, values)
    path_flags.define("photos", None, "Folder of JPEG pictures without digits.", path_flags.FOLDER, values)
    flags.DEFINE_integer("scenes", 300, "Photos per condition, and pages.", 1, 100_000, flag_values=values)
    flags.DEFINE_list("conditions", [], "Only these conditions; none for all.", flag_values=values)


def main(values: flags.FlagValues) -> None:
    if values.model is None:
        raise UsageError("--model is missing: it must be the export of a digit model.")
    for name in values.conditions:
        if name not in digit_scenes.CONDITIONS:
            raise UsageError(
                f"--conditions has {name!r}, but each must be one of {', '.join(digit_scenes.CONDITIONS)}."
            )
    fonts = digit_scenes.handwriting_fonts(values.fonts) if values.fonts else []
    if values.fonts and not fonts:
        raise UsageError(f"--fonts is {values.fonts!r}, but must have font files (.ttf or .otf).")
    # Now, since the measurements before the pictures may take hours.
    paths = _pictures(values.photos) if values.photos else []
    if values.photos and not paths:
        raise UsageError(f"--photos is {values.photos!r}, but must have .jpg pictures.")
    quiet.import_tensorflow()
    from tf2cases.data import sources
    from tf2cases.serving import model as exported

    source = sources.load("mnist" if values.data_dir else "mnist_sample", values.data_dir)
    glyphs = _Glyphs(source.test["images"][..., 0], source.test["labels"], fonts)
    asked = exported.Model(values.model)
    random = np.random.default_rng(0)
    photo = digit_scenes.Scene.plain(random).one(glyphs(random, 0)[1])
    for signature in ("classify_bytes", "read_digits_bytes"):  # the first call prepares the graph
        asked.call(signature, image_bytes=[photo])
    print(f"{values.scenes:,} photos per condition; {len(fonts)} fonts; CPU ms per photo, decoding included")
    for name in values.conditions or digit_scenes.CONDITIONS:
        print(f"{name:<26}{_condition(asked, glyphs, name, values.scenes)}", flush=True)
    print(f"{'pages of 1 to 12 digits':<26}{_pages(asked, glyphs, values.scenes)}", flush=True)
    if values.photos:
        print(f"{'photos without digits':<26}{_photos(asked, paths)}")


class _Glyphs:
    """Characters to draw: digits of MNIST and, in turn with them, of fonts."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, fonts: Sequence[str]):
        self._images, self._labels, self._fonts = images, labels, fonts

    def __call__(self, random: np.random.Generator, number: int) -> tuple[str, digit_scenes.Glyph]:
        """A digit and its drawing; photos with even numbers show fonts."""
        if self._fonts and number % 2 == 0:
            digit = str(random.integers(10))
            return digit, digit_scenes.typed(digit, self._fonts[number // 2 % len(self._fonts)])
        chosen = random.integers(len(self._labels))
        return str(self._labels[chosen]), digit_scenes.written(self._images[chosen])


def _condition(asked: Any, glyphs: _Glyphs, name: str, count: int) -> str:
    """The line of a condition."""
    seed = list(digit_scenes.CONDITIONS).index(name)
    right, sure, seconds, decoding = [], 0, 0.0, 0.0
    for number in range(count):
        random = np.random.default_rng([seed, number])
        scene = digit_scenes.Scene.plain(random)
        digit_scenes.CONDITIONS[name](scene)
        digit, glyph = glyphs(random, number)
        photo = scene.one(glyph)
        answer, taken = _timed(asked, "classify_bytes", photo)
        right.append(answer["label"][0].decode() == digit)
        sure += not right[-1] and answer["probabilities"].max() > 0.9
        seconds, decoding = seconds + taken, decoding + _decoding(photo)
    parts = f"{np.mean(right):7.1%} right   fonts {np.mean(right[::2]):6.1%}   MNIST {np.mean(right[1::2]):6.1%}"
    each = 1000 / count
    return f"{parts}   {sure} wrong above 0.9   CPU ms {seconds * each:.1f}, decoding {decoding * each:.1f}"


def _pages(asked: Any, glyphs: _Glyphs, count: int) -> str:
    """The line of the pages, each under one of the conditions."""
    names = [name for name in digit_scenes.CONDITIONS if name not in _NOT_ON_PAGES]
    whole = same = total = 0
    for number in range(count):
        random = np.random.default_rng([_PAGE_SEED, number])
        scene = digit_scenes.Scene.plain(random)
        digit_scenes.CONDITIONS[names[number % len(names)]](scene)
        digits = [glyphs(random, number) for _ in range(random.integers(1, 13))]
        columns = int(random.integers(-(-len(digits) // 5), 5))
        rows = [digits[start : start + columns] for start in range(0, len(digits), columns)]
        text = "".join(digit for digit, _ in digits)
        found = asked.call("read_digits_bytes", image_bytes=[scene.rows([[glyph for _, glyph in row] for row in rows])])
        read = found["text"][0].decode()
        whole += read == text
        total += len(text)
        same += sum(a == b for a, b in zip(read, text, strict=True)) if len(read) == len(text) else 0
    return f"{whole / count:7.1%} read whole   {same / total:.1%} of the digits"


def _pictures(folder: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(folder), "**", "*.jpg"), recursive=True))


def _photos(asked: Any, paths: Sequence[str]) -> str:
    """The line of pictures without digits."""
    doubtful = 0
    for path in paths:
        with open(path, "rb") as file:
            answer = asked.call("classify_bytes", image_bytes=[file.read()])
        doubtful += answer["probabilities"].max() < 0.5
    return f"{doubtful / len(paths):7.1%} of {len(paths):,} have a confidence below 0.5"


def _timed(asked: Any, signature: str, photo: bytes) -> tuple[dict[str, np.ndarray], float]:
    start = time.process_time()
    return asked.call(signature, image_bytes=[photo]), time.process_time() - start


def _decoding(photo: bytes) -> float:
    import tensorflow as tf

    start = time.process_time()
    tf.io.decode_jpeg(photo, dct_method="INTEGER_ACCURATE")
    return time.process_time() - start
