"""One encoded picture to a square of pixels: what networks for pictures are trained on."""

import io

import numpy as np
from PIL import Image, ImageOps

from tf2cases.data.pictures.files import FORMATS, MAX_PIXELS
from tf2cases.errors import UsageError

# A JPEG decoder can reduce by 2, 4 or 8 while it decodes, but only with a box filter: what is left to the resize is
# this much larger than wanted, at least, so that its filter decides how the result looks.
_DRAFT_MARGIN = 2


def check(size, channels):
    """Raises UsageError unless --size is from 4 to 1024 and --channels 1, 3 or None."""
    if not 4 <= size <= 1024:
        raise UsageError(f"--size is {size}, but must be from 4 to 1024.")
    if channels not in (None, 1, 3):
        raise UsageError(f"--channels is {channels}, but must be 1 or 3.")


def parse_crop(crop):
    """--crop to a number of pixels, or to None for the largest centred square.

    Args:
      crop: None, "none" or "", an int, or a string like "108".

    Raises:
      UsageError: something else, or below 1.
    """
    if crop in (None, "none", ""):
        return None
    try:
        side = int(crop)
    except ValueError:
        side = 0
    if side < 1:
        raise UsageError(f"--crop is {crop!r}, but must be none or a number of pixels, such as 108.")
    return side


def decode(data, size, channels=3, crop=None):
    """Decodes, turns upright, crops the centred square, and resizes it (Lanczos, antialiased).

    The format is found from the content. Transparent pictures are laid on white, of several frames the first is taken,
    16-bit grey is scaled to 8. A JPEG more than four times larger than wanted is reduced while it is decoded.

    Args:
      data: bytes of a PNG, JPEG, GIF, BMP, WebP, TIFF or PPM file.
      size: side of the result in pixels.
      channels: 3 for red, green, blue; 1 for grey (0.299 red + 0.587 green + 0.114 blue).
      crop: side of the centred square in pixels of the picture; None for the largest. Where it cannot be exactly in
        the middle it is half a pixel up or left.

    Returns:
      uint8 [size, size, channels].

    Raises:
      UsageError: the picture is smaller than `crop`; it says so without naming the picture.
      ValueError: not a picture, damaged, cut short, or of more than 50 megapixels (known from the header).
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width} x {height} pixels are more than 50 megapixels")
        if crop and crop > min(width, height):
            raise UsageError(
                f"has {width} x {height} pixels: expected at most {min(width, height)} for it, or none for the largest "
                "square"
            )
        side = crop or min(width, height)
        if image.format == "JPEG":
            least = _DRAFT_MARGIN * size / side
            image.draft(None, (int(np.ceil(width * least)), int(np.ceil(height * least))))
        reduced, before = round(width / image.width), image.size
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != before:  # it lay on its side
            width, height = height, width
        image = _to_mode(image, "L" if channels == 1 else "RGB")
    except ValueError:
        raise
    except Exception as error:  # Pillow raises nearly anything for damaged files
        raise ValueError(_why(error, data)) from error
    left, top = (width - side) // 2, (height - side) // 2
    box = left, top, left + side, top + side
    if reduced > 1:  # its edges may lie within pixels
        square = image.resize((size, size), Image.Resampling.LANCZOS, box=[edge / reduced for edge in box])
    else:
        square = image.crop(box)
        if side != size:
            square = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(size, size, channels)


def _to_mode(image, mode):
    """Pillow's picture as "RGB" or "L"."""
    if image.mode == mode:
        return image
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("32 bits a channel, where 8 or 16 are read")
        image = Image.fromarray((values // 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point values, where 8 or 16 bits are read")
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    # Palettes and CMYK go to grey by way of RGB, as everything else does.
    return image.convert("RGB").convert(mode)


def _why(error, data):
    """In few words, why Pillow could not read it."""
    if not data:
        return "empty"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
