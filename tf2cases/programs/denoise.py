"""Takes the noise out of a picture file with an exported autoencoder, and writes the result as a PNG.

    python -m bin.denoise --model=exports/denoising_autoencoder in.png out.png

The picture is resized to the model's, and a colour picture is made grey for a model of grey ones; both are said. PNG,
JPEG, GIF, BMP, WebP, TIFF and PPM files with one picture are read, whatever they are called. Digits are expected as
MNIST has them, bright on dark ground.
"""

import io
import os

import numpy as np

from tf2cases import files
from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import UsageError
from tf2cases.programs import common

_SIGNATURE = "denoise_bytes"


def define(values):
    common.define_model(values)


def main(values, arguments):
    path = common.required(values, "model")
    if len(arguments) != 2:
        raise UsageError(f"{len(arguments)} files are named, but must be 2: the noisy picture and the PNG to write.")
    source, target = arguments
    folder = os.path.dirname(os.path.abspath(target))
    if os.path.isdir(target) or not os.path.isdir(folder):
        raise UsageError(f"{target} cannot be written, but must be a file in a folder that is there.")
    data = picture_files.read(source)
    # Here, because it loads TensorFlow: a bad file is refused without waiting for it.
    from tf2cases.programs import quiet as _quiet  # noqa: F401
    from tf2cases.serving.model import Model

    model = Model(path)
    if _SIGNATURE not in model.signatures:
        raise UsageError(f"{model.path} is no denoising autoencoder: it has no signature {_SIGNATURE!r}.")
    height, width, channels = model.signatures["serving_default"]["images"].shape[1:]
    try:
        (answer,) = model.call(_SIGNATURE, image_bytes=[data])["image_bytes"]
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    for note in _changes(data, height, width, channels):
        print(f"{source}: {note}")
    files.write_bytes(target, answer)
    print(f"{target}: {width} x {height} pixels, {'grey' if channels == 1 else 'colour'}, denoised.")


main.positional = "IN OUT.png"


def _changes(data, height, width, channels):
    """Sentences about what had to be done to the picture before the model could take it."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data))
    if picture.size != (width, height):
        yield f"resized from {picture.width} x {picture.height} to the model's {width} x {height} pixels."
    rgb = np.asarray(picture.convert("RGBA"))[..., :3]
    if channels == 1 and (rgb != rgb[..., :1]).any():
        yield "made grey, since the model was trained on grey pictures."
