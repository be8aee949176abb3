"""Removes noise from a picture file with an exported autoencoder and writes the result.

    python -m bin.denoise --model=exports/autoencoder in.png out.png
    python -m bin.denoise --model=exports/autoencoder noisy/ clean/

The picture is resized to the model's size and, if the model was trained on grey pictures, converted to grey; the
program reports both. It reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM files with one picture, regardless of their
names. The ending of OUT decides its format: .png, .jpg, .webp and the like. If IN is a folder, or a zip or tar archive,
OUT is a folder: each picture in IN and its sub-folders is written there as a PNG file with its name. A picture that
cannot be read is named, and the others are written; the exit status is then 1, or 2 if none could be read. Digits
should look like MNIST's: bright on a dark background.
"""

import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tf2cases import files, viz
from tf2cases.configs import path_flags
from tf2cases.data.pictures import decoding
from tf2cases.errors import UsageError
from tf2cases.programs import exports, given_pictures

if TYPE_CHECKING:
    from tf2cases.serving.client import Client

REQUIRED, POSITIONAL = ("model",), "IN OUT"

_NEEDED = {"denoise_bytes": ["image_bytes"], "serving_default": ["images"]}

define = exports.define_model


def main(values: flags.FlagValues, arguments: list[str]) -> int:
    if len(arguments) != 2:
        given = f"{len(arguments)} file{'s were' if len(arguments) != 1 else ' was'} given"
        raise UsageError(f"{given}, but must be 2: the noisy picture and the file to write, or two folders.")
    source, target = arguments
    is_one = not given_pictures.is_collection(source)
    path_flags.check("OUT", target, path_flags.PICTURE if is_one else path_flags.FOLDER)
    if files.is_same(source, target) or os.path.realpath(target).startswith(os.path.join(os.path.realpath(source), "")):
        what = "another file than IN" if is_one else "another folder than IN, and not inside it"
        raise UsageError(f"OUT is {target!r}, but must be {what}.")
    paths = given_pictures.listed([source])
    targets = [target]
    if not is_one:
        inside = (os.path.splitext(os.path.relpath(path, source))[0] for path in paths)
        targets = [os.path.join(target, f"{name}.png") for name in inside]
    given_pictures.check_targets(paths, targets)
    refused, model, written = given_pictures.Refused("denoise"), None, 0
    target_of = dict(zip(paths, targets, strict=True))
    for path, data in refused.read(paths):
        model = model or exports.load(values.model, "a denoising autoencoder", _NEEDED)
        for _, answer in refused.ask(model, "denoise_bytes", [(path, data)]):
            _write(model, path, data, answer["denoised_bytes"][0], target_of[path])
            written += 1
    return refused.exit_status(written)


def _write(model: "Client", path: str, data: bytes, denoised: bytes, target: str) -> None:
    """Writes what the model made of the picture `data` of a path."""
    height, width, channels = model.signatures["serving_default"].inputs["images"].row
    for note in _changes(data, height, width, channels):
        print(f"{path}: {note}")
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with files.writing(target):
        viz.write_picture(target, np.asarray(decoding.opened(denoised)))
    print(f"{target}: {width} x {height} pixels, {'grey' if channels == 1 else 'colour'}, denoised.")


def _changes(data: bytes, height: int, width: int, channels: int) -> Iterator[str]:
    """Describes how the picture was changed to fit the model, one sentence per change."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data))
    if picture.size != (width, height):
        yield f"resized from {picture.width} x {picture.height} to the model's {width} x {height} pixels."
    rgb = np.asarray(picture.convert("RGBA"))[..., :3]
    if channels == 1 and (rgb != rgb[..., :1]).any():
        yield "converted to grey, since the model was trained on grey pictures."
