"""Removes noise from a picture file with an exported autoencoder and writes the result.

    python -m bin.denoise --model=exports/autoencoder in.png out.png

The picture is resized to the model's size and, if the model was trained on grey pictures, converted to grey; the
program reports both. It reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM files with one picture, regardless of their
names. The ending of OUT decides its format: .png, .jpg, .webp and the like. Digits should look like MNIST's: bright on
a dark background.
"""

import io
from collections.abc import Iterator

import numpy as np
from absl import flags

from tf2cases import files, viz
from tf2cases.configs import path_flags
from tf2cases.data.pictures import decoding
from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import UsageError
from tf2cases.programs import exports

REQUIRED, POSITIONAL = ("model",), "IN OUT"


define = exports.define_model


def main(values: flags.FlagValues, arguments: list[str]) -> None:
    if len(arguments) != 2:
        raise UsageError(f"{len(arguments)} files were given, but must be 2: the noisy picture and the file to write.")
    source, target = arguments
    path_flags.check("OUT", target, path_flags.PICTURE)
    if files.is_same(source, target):
        raise UsageError(f"OUT is {target!r}, but must be another file than IN.")
    data = picture_files.read(source)
    needed = {"denoise_bytes": ["image_bytes"], "serving_default": ["images"]}
    model = exports.load(values.model, "a denoising autoencoder", needed)
    height, width, channels = model.signatures["serving_default"].inputs["images"].row
    (answer,) = model.ask_files("denoise_bytes", [source], [data])["denoised_bytes"]
    for note in _changes(data, height, width, channels):
        print(f"{source}: {note}")
    with files.writing(target):
        viz.write_picture(target, np.asarray(decoding.opened(answer)))
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
