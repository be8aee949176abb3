"""Folders and archives of labelled pictures: the label of `0123.png` and `0123-00007.png` is 0123.

However they were made, the label is the file name up to the first `-` or the extension.
"""

import collections
import dataclasses
import os
import unicodedata
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from tf2cases import files
from tf2cases.data.captchas import listing, manifest, text
from tf2cases.data.captchas.text import Charset
from tf2cases.data.pictures import dataset, decoding
from tf2cases.data.source import Source
from tf2cases.errors import UsageError, as_usage_error


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """The pictures of a folder, in the order of their base names.

    Attributes:
      names: [N] base names.
      images: uint8 [N, height, width, 1], grey.
      labels: uint8 [N, length], the characters' classes.
      charset: the `Charset`.
    """

    names: list[str]
    images: np.ndarray
    labels: np.ndarray
    charset: Charset


def file_name(label: str, index: int) -> str:
    """LABEL-NNNNN.png; the number makes names unique, also where upper and lower case are the same."""
    return f"{label}-{index:05d}.png"


def label_of(name: str) -> str:
    """The label in a file's name: up to the first `-` or the extension."""
    stem = os.path.splitext(os.path.basename(name))[0]
    return unicodedata.normalize("NFC", stem.partition("-")[0])


def is_held_out(name: str) -> bool:
    """Whether a picture belongs to the held-out tenth.

    As `pictures.dataset.is_held_out`, but it depends only on the base name with its extension, not on the folder or on
    the other files in it.
    """
    return dataset.is_held_out(os.path.basename(name))


def info(images: np.ndarray, labels: np.ndarray, charset: Charset) -> dict:
    """The metadata of a set of captchas that a model keeps."""
    return {"image_shape": list(images.shape[1:]), "charset": charset.characters, "length": labels.shape[1]}


def load(path: str, **options: Any) -> Source:
    """Loads a folder or archive as a data set: a tenth is held out for testing (see `is_held_out`).

    Args:
      path: the folder or archive.
      **options: see `read`.

    Returns:
      Source with "images" uint8 [N, height, width, 1] and "labels" uint8 [N, length]; `info` has image_shape, charset
      (the characters) and length.

    Raises:
      UsageError: as `read`, or there are so few pictures that a split is empty.
    """
    pictures = read(path, **options)
    held_out = np.array([is_held_out(name) for name in pictures.names])
    if held_out.all() or not held_out.any():
        raise dataset.too_few(path, len(held_out), int(held_out.sum()))
    rows = {"train": ~held_out, "test": held_out}
    splits = {name: {"images": pictures.images[r], "labels": pictures.labels[r]} for name, r in rows.items()}
    return Source("captcha_folder", splits, info(pictures.images, pictures.labels, pictures.charset))


def read(
    path: str,
    charset: str | None = None,
    length: int | None = None,
    width: int | None = None,
    height: int | None = None,
    max_bad_images: int = 0,
) -> Labelled:
    """Reads all labelled pictures of a folder or archive, see `listing.opened` and `decoding.decode`.

    A picture of another size is resized (bilinear, antialiased).

    Args:
      path: the folder or archive.
      charset: name or characters (see `Charset`); by default the manifest's, else inferred from the labels.
      length: characters per label; by default the manifest's, else the most common one.
      width, height: of the result; by default the manifest's, else those of the first picture.
      max_bad_images: how many unreadable pictures to skip; more are an error.

    Returns:
      `Labelled`.

    Raises:
      UsageError: the path does not exist, there are no pictures, a label has another length or character, or too many
        pictures are unreadable.
    """
    with listing.opened(path) as (pictures, facts):
        names = [name for name, _ in pictures]
        found, length = _charset_and_length(path, names, charset, length, facts)
        labels = _labels(path, names, found, length)
        size = (width or facts.get("width"), height or facts.get("height"))
        images: Any = None
        good: list[int] = []
        skipped: list[tuple[str, str]] = []
        bar = tqdm(pictures, desc="Reading pictures", unit="picture", disable=None, leave=False)
        for i, (name, read_bytes) in enumerate(bar):
            try:
                picture = _decoded(read_bytes(), size)
            except (ValueError, OSError) as error:
                why = files.reason(error) if isinstance(error, OSError) else str(error)
                skipped.append((name, why))
                if len(skipped) > max_bad_images:
                    raise UsageError(
                        f"{path} has {len(skipped)} unreadable pictures, the last {name} ({why}), but at most "
                        f"--max_bad_images={max_bad_images} are skipped."
                    ) from error
                continue
            if images is None:
                size = picture.shape[1::-1]
                images = np.empty([len(pictures), *picture.shape, 1], np.uint8)
            images[len(good), ..., 0] = picture
            good.append(i)
    if not good:
        raise UsageError(f"{path} has no readable picture: expected some, named like 0123.png.")
    if skipped:
        print(f"Skipped {len(skipped)} unreadable of {len(names)} pictures; first: {skipped[0][0]} ({skipped[0][1]}).")
    kept = [os.path.basename(names[i]) for i in good]
    return Labelled(kept, images[: len(good)], labels[good], found)


def _decoded(data: bytes, size: tuple[int | None, int | None]) -> np.ndarray:
    """Decodes a picture to grey, uint8 [height, width], resized to `size` (width, height); None keeps its own."""
    image = decoding.decode(data, "L")
    wanted = size[0] or image.width, size[1] or image.height
    if image.size != wanted:
        image = image.resize(wanted, Image.Resampling.BILINEAR)
    return np.asarray(image)


def _charset_and_length(
    path: str, names: list[str], charset: str | None, length: int | None, facts: dict
) -> tuple[Charset, int]:
    """The charset and length given by the flags, else by the manifest, else by the labels of the files."""
    labels = [label_of(name) for name in names]
    from_flag = length is not None
    if length is None:
        commonest = collections.Counter(len(label) for label in labels if label).most_common(1)
        length = int(facts.get("length") or (commonest[0][0] if commonest else 1))
    with as_usage_error("--" if from_flag else f"{path}: "):
        text.check_length(length)
    if charset or facts:
        with as_usage_error("--" if charset else f"{path}: {manifest.NAME}: "):
            return Charset(charset or facts["charset"]), length
    for name, label in zip(names, labels, strict=True):
        with as_usage_error(f"{os.path.join(path, name)}: "):
            text.check_label(label)
    return text.infer(labels), length


def _labels(path: str, names: list[str], charset: Charset, length: int) -> np.ndarray:
    """The classes of all files' labels, uint8 [N, length]."""
    classes = np.empty([len(names), length], np.uint8)
    for i, name in enumerate(names):
        with as_usage_error(f"{os.path.join(path, name)}: "):
            classes[i] = charset.encode(label_of(name), length)
    return classes
