"""Reads and writes picture files; writing is atomic."""

import io
import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tf2cases import files

_JPEG = ("JPEG", {"quality": 95, "subsampling": 0})
_TIFF = ("TIFF", {"compression": "tiff_lzw"})
_FORMATS: dict[str, tuple[str, dict]] = {  # those of `path_flags.PICTURES`
    ".png": ("PNG", {}),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
    ".gif": ("GIF", {}),
    ".bmp": ("BMP", {}),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}


def write_png(path: str | os.PathLike, image: ArrayLike) -> None:
    """Writes a PNG file, replacing an existing one and creating missing folders.

    Args:
      path: path of the file.
      image: uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] (RGB and opacity).

    Raises:
      ValueError: for a wrong dtype or shape.
      OSError: if the file cannot be written; an existing file at `path` is then unchanged, and no new one is left.
    """
    import imageio.v3 as imageio

    pixels = _pixels("image", image, (1, 3, 4))
    files.write_bytes(path, imageio.imwrite("<bytes>", pixels, extension=".png", plugin="pillow"))


def write_picture(path: str | os.PathLike, image: ArrayLike) -> None:
    """Writes a picture file in the format that its ending names, or PNG if it has no known one; as `write_png`.

    JPEG files have quality 95 and show transparency on white, GIF files have at most 256 colours; the other formats
    keep every pixel.
    """
    from PIL import Image

    kind, options = _FORMATS.get(os.path.splitext(path)[1].lower(), ("PNG", {}))
    if kind == "PNG":
        write_png(path, image)
        return
    picture = Image.fromarray(_pixels("image", image, (1, 3, 4)))
    if kind == "JPEG" and picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    files.write_bytes(path, buffer.getvalue())


def read_png(path: str | os.PathLike) -> np.ndarray:
    """Reads the pixels of a PNG file, as passed to `write_png`: uint8 [H, W] or [H, W, C]."""
    import imageio.v3 as imageio

    return imageio.imread(path, extension=".png", plugin="pillow")


def write_gif(
    path: str | os.PathLike, frames: Sequence[ArrayLike], frames_per_second: float, max_bytes: int | None = None
) -> None:
    """Writes an animated GIF that loops forever, replacing an existing one and creating missing folders.

    GIF durations are in hundredths of a second, so at 30 frames per second, for example, frames last 3 or 4 hundredths,
    alternating so that the total is right. A frame equal to the previous one extends the duration of that one.

    Args:
      path: path of the file.
      frames: uint8 arrays of one shape, [H, W], [H, W, 1] or [H, W, 3]; colours are reduced to 256 for each frame.
      frames_per_second: above 0, at most 50 (viewers slow down faster animations).
      max_bytes: largest size of the file, or None. A larger animation gets 64 colours for each frame and, if it is
        still too large, smaller frames, down to a side of one pixel.

    Raises:
      ValueError: for no frames, a wrong dtype or shape, frames of different shapes, or a wrong rate.
      OSError: as in `write_png`.
    """
    import imageio.v3 as imageio

    if not 0 < frames_per_second <= 50:
        raise ValueError(f"frames_per_second is {frames_per_second}, but must be above 0 and at most 50.")
    made = [_pixels(f"frame {i}", frame, (1, 3)) for i, frame in enumerate(frames)]
    if not made:
        raise ValueError("frames is empty, but must hold at least one frame.")
    for i, frame in enumerate(made):
        if frame.shape != made[0].shape:
            raise ValueError(
                f"frame {i} has the shape {list(frame.shape)}, but must have frame 0's, {list(made[0].shape)}."
            )
    ends = np.rint(np.arange(len(made) + 1) * 100 / frames_per_second).astype(int)
    milliseconds = (np.diff(ends) * 10).tolist()
    duration = milliseconds if len(made) > 1 else milliseconds[0]  # Pillow accepts no list for one frame
    options = dict(extension=".gif", plugin="pillow", is_batch=True, duration=duration, loop=0)
    encoded, factor = imageio.imwrite("<bytes>", np.stack(made), **options), 1.0
    while max_bytes is not None and len(encoded) > max_bytes and min(made[0].shape[:2]) * factor >= 1:
        encoded = imageio.imwrite("<bytes>", np.stack([_reduced(frame, factor) for frame in made]), **options)
        factor *= 0.95 * math.sqrt(max_bytes / len(encoded))
    files.write_bytes(path, encoded)


def _reduced(image: np.ndarray, factor: float) -> np.ndarray:
    """Resizes a picture and reduces it to 64 colours or grey levels; no dithering, which would make a GIF larger."""
    from PIL import Image

    picture = Image.fromarray(image)
    size = [max(1, round(side * factor)) for side in picture.size]
    smaller = picture.resize(size, Image.Resampling.LANCZOS) if factor < 1 else picture
    if picture.mode == "L":
        return np.rint(np.rint(np.asarray(smaller) * (63 / 255)) * (255 / 63)).astype(np.uint8)
    return np.asarray(smaller.quantize(64, dither=Image.Dither.NONE).convert("RGB"))


def _pixels(name: str, image: ArrayLike, channels: tuple[int, ...]) -> np.ndarray:
    """Checks an image and returns it as uint8 [H, W] or [H, W, C], C > 1."""
    image = np.asarray(image)
    shape = image.shape
    accepted = len(shape) == 2 or (len(shape) == 3 and shape[2] in channels)
    if image.dtype != np.uint8 or not accepted or 0 in shape:
        wanted = ", ".join(f"[H, W, {c}]" for c in channels)
        raise ValueError(
            f"{name} is {image.dtype} {list(shape)}, but must be uint8 [H, W] or one of {wanted}, with H, W >= 1."
        )
    return image[..., 0] if shape[2:] == (1,) else image
