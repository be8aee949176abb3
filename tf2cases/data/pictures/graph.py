"""Decoding and encoding pictures with TensorFlow operations only, so that a served signature can do it itself.

Only PNG, JPEG and BMP are decoded; clients convert other files, see `files.read`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf2cases.data.pictures import exif
from tf2cases.data.pictures.decoding import LARGE, MAX_PIXELS, MAX_SCANS, START_OF_SCAN

SMALL = 16_000_000  # pixels: enough for a photo of a phone (12 megapixels) of a digit, a captcha and the like
_REDUCED = 1_000_000  # pixels to which `reduced` reduces
_OPAQUE = 255
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 64


class Decoding(NamedTuple):
    """How pictures are decoded.

    Attributes:
      max_pixels: the largest number of pixels that is accepted, at most `MAX_PIXELS`.
      dct_method: the inverse transform for JPEG, see `tf.io.decode_jpeg`; the default matches other decoders.
      enough: pixels of the longer side that are enough: a JPEG is decoded at half, a quarter or an eighth of its size,
        which is faster, if that leaves as many. None: at its full size.
    """

    max_pixels: int = MAX_PIXELS
    dct_method: str = "INTEGER_ACCURATE"
    enough: int | None = None


FULL_SIZE = Decoding()


def decode(image_bytes: tf.Tensor | bytes, how: Decoding = FULL_SIZE) -> tf.Tensor:
    """Decodes one PNG, JPEG or BMP picture, recognised by its first bytes, to RGBA.

    The header is read first: a picture of more than `max_pixels` of `how` is refused before memory is allocated for it,
    and so are BMP pictures and PNG pictures with less than 8 bits of more than 25 megapixels, and JPEG pictures of more
    than `MAX_SCANS` scans. A JPEG of more than 25 megapixels is halved. So no picture takes more than 300 MB.
    16-bit pictures lose their low byte; an animated PNG yields its still picture. The EXIF orientation of a JPEG is
    applied, that of other files is not. BMP pictures must be uncompressed, with 24 or 32 bits per pixel; the fourth
    byte of the latter is ignored, as in viewers.

    Args:
      image_bytes: scalar string.
      how: see `Decoding`.

    Returns:
      uint8 [height, width, 4], red, green, blue and straight (not premultiplied) alpha.

    Raises:
      tf.errors.InvalidArgumentError: not one of these formats, damaged, or too many pixels.
    """
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes, tf.string), [])
    head = tf.strings.join([tf.strings.substr(image_bytes, 0, _HEAD_BYTES), b"\0" * _HEAD_BYTES])
    is_format = [
        tf.strings.substr(head, 0, 8) == _PNG,
        tf.strings.substr(head, 0, 3) == b"\xff\xd8\xff",
        tf.strings.substr(head, 0, 2) == b"BM",
    ]
    known = _require(tf.reduce_any(is_format), "The bytes are not a PNG, JPEG or BMP picture.")
    with tf.control_dependencies(known):
        chosen = tf.argmax(tf.cast(tf.stack(is_format), tf.int32), output_type=tf.int32)
    rgba = tf.switch_case(
        chosen,
        [
            lambda: _decode_png(image_bytes, head, how.max_pixels),
            lambda: _decode_jpeg(image_bytes, how),
            lambda: _decode_bmp(image_bytes, head, how.max_pixels),
        ],
    )
    return tf.ensure_shape(rgba, [None, None, 4])


def decode_batch(
    image_bytes: tf.Tensor, to_image: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int], how: Decoding = FULL_SIZE
) -> tf.Tensor:
    """Decodes encoded pictures to a batch of arrays.

    Args:
      image_bytes: string [N].
      to_image: uint8 RGBA [height, width, 4] -> float32 [*shape].
      shape: the static shape of one result.
      how: see `Decoding`.

    Returns:
      float32 [N, *shape].

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    spec = tf.TensorSpec(shape, tf.float32)
    return map_files(lambda rgba: tf.ensure_shape(to_image(rgba), shape), image_bytes, spec, how)


def map_files(
    function: Callable[[tf.Tensor], Any], image_bytes: tf.Tensor, specs: Any, how: Decoding = FULL_SIZE
) -> Any:
    """Decodes encoded pictures and applies a function to each.

    Args:
      function: uint8 RGBA [height, width, 4] -> a structure of tensors.
      image_bytes: string [N].
      specs: the structure of their TensorSpecs.
      how: see `Decoding`.

    Returns:
      The structure, each tensor with a first dimension N.

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    # Strings cannot be moved to a GPU, so the whole loop stays on the CPU (tensorflow#28007). One picture at a time:
    # more are not faster, and each may need memory for 50 megapixels.
    with tf.device("/cpu:0"):
        return tf.map_fn(
            lambda one: function(decode(one, how)), image_bytes, parallel_iterations=1, fn_output_signature=specs
        )


def encode_batch(images: tf.Tensor) -> tf.Tensor:
    """Encodes pictures as PNG files.

    Args:
      images: float32 [N, H, W, C] in [0, 1] (clipped), C in {1, 3}.

    Returns:
      string [N].
    """
    pixels = tf.cast(tf.round(tf.clip_by_value(images, 0.0, 1.0) * 255), tf.uint8)
    with tf.device("/cpu:0"):  # as in `map_files`
        return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec([], tf.string))


def reduced(rgba: tf.Tensor) -> tf.Tensor:
    """Reduces a picture of more than a megapixel to about one, so that computing with floats takes little memory.

    Opaque pictures are averaged, of others every k-th row and column is kept.

    Args:
      rgba: uint8 [height, width, 4].

    Returns:
      uint8 [height, width, 4].
    """
    height, width = tf.unstack(tf.shape(rgba)[:2])
    pixels = tf.cast(height, tf.float32) * tf.cast(width, tf.float32)
    step = tf.cast(tf.math.ceil(tf.sqrt(pixels / _REDUCED)), tf.int32)

    def averaged():
        size = tf.maximum(tf.stack([height, width]) // step, 1)
        return tf.cast(tf.round(tf.raw_ops.ResizeArea(images=rgba[tf.newaxis], size=size)[0]), tf.uint8)

    def smaller():
        return tf.cond(tf.reduce_min(rgba[..., 3]) == _OPAQUE, averaged, lambda: rgba[::step, ::step])

    return tf.ensure_shape(tf.cond(step > 1, smaller, lambda: rgba), [None, None, 4])


def composite_on_white(rgba: tf.Tensor) -> tf.Tensor:
    """Composites RGBA pictures on white.

    Args:
      rgba: uint8, or float in [0, 1], [..., 4] with straight alpha.

    Returns:
      float32 [..., 3] in [0, 1].
    """
    rgba = tf.image.convert_image_dtype(rgba, tf.float32)
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1.0 - alpha)


def to_grey(rgb: tf.Tensor) -> tf.Tensor:
    """Brightness (luma) of RGB pictures, with the weights of ITU-R BT.601 that Pillow uses too.

    Args:
      rgb: float32 [..., 3].

    Returns:
      float32 [..., 1].
    """
    return tf.reduce_sum(rgb * [0.299, 0.587, 0.114], axis=-1, keepdims=True)


def _decode_png(image_bytes, head, max_pixels):
    # TensorFlow's decoder fills in the alpha of an opaque picture at the file's bit depth: 1, 3 or 15 for 1, 2 or 4
    # bits. Such a file with a transparency chunk has alpha in 0..255.
    depth = tf.cast(_uint8(head, 24), tf.int32)
    most = tf.where(depth < 8, min(max_pixels, LARGE), max_pixels)
    with tf.control_dependencies(_require_size(_int32(head, 16, False), _int32(head, 20, False), most)):
        rgba = tf.io.decode_png(image_bytes, channels=4)
    filler = tf.cast(tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1, tf.uint8)
    missing = tf.cond(depth < 8, lambda: tf.reduce_all(rgba[..., 3] == filler), lambda: False)
    return tf.cond(
        missing, lambda: tf.bitwise.bitwise_or(rgba, tf.constant([0, 0, 0, _OPAQUE], tf.uint8)), lambda: rgba
    )


def _decode_jpeg(image_bytes, how):
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(image_bytes))
    scans = tf.size(tf.strings.split(image_bytes, START_OF_SCAN)) - 1
    checks = _require(scans <= MAX_SCANS, f"The picture has more than {MAX_SCANS} scans.")
    with tf.control_dependencies(checks + _require_size(width, height, how.max_pixels)):
        reduction = tf.cast(tf.cast(width, tf.int64) * tf.cast(height, tf.int64) > LARGE, tf.int32)
    most = 2
    if how.enough is not None:
        most = 4
        longest = tf.maximum(width, height)
        for power in range(1, most):
            reduction = tf.maximum(reduction, tf.where(longest >= how.enough * 2**power, power, 0))

    def decoded(ratio):
        return tf.io.decode_jpeg(image_bytes, channels=3, dct_method=how.dct_method, ratio=ratio)

    rgb = tf.switch_case(reduction, [functools.partial(decoded, 2**power) for power in range(most)])
    return _opaque(exif.upright(rgb, exif.orientation(image_bytes)))


def _decode_bmp(image_bytes, head, max_pixels):
    width, height = _int32(head, 18), tf.abs(_int32(head, 22))  # negative: rows run from the top
    bits = tf.bitwise.bitwise_and(_int32(head, 28), 0xFFFF)
    plain = tf.reduce_all([_int32(head, 14) >= 40, _int32(head, 30) == 0])
    kind = _require(
        tf.logical_and(plain, tf.logical_or(bits == 24, bits == 32)),
        "BMP pictures must be uncompressed, with 24 or 32 bits per pixel.",
    )
    with tf.control_dependencies(kind + _require_size(width, height, min(max_pixels, LARGE))):
        pixels = tf.io.decode_bmp(image_bytes, channels=0)
    return _opaque(pixels[..., :3])


def _opaque(rgb):
    rgba = tf.pad(rgb, [[0, 0], [0, 0], [0, 1]], constant_values=_OPAQUE)
    return tf.ensure_shape(rgba, [None, None, 4])


def _uint8(text, offset):
    return tf.io.decode_raw(tf.strings.substr(text, offset, 1), tf.uint8)[0]


def _int32(text, offset, little_endian=True):
    return tf.io.decode_raw(tf.strings.substr(text, offset, 4), tf.int32, little_endian)[0]


def _require_size(width, height, max_pixels):
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    too_large = tf.strings.format(
        "The picture has {} x {} pixels, but at most {} megapixels are accepted.",
        (width, height, tf.convert_to_tensor(max_pixels) // 1_000_000),
    )
    return _require(tf.logical_and(width > 0, height > 0), "The picture has no pixels.") + _require(
        pixels <= tf.cast(max_pixels, tf.int64), too_large
    )


def _require(condition, sentence):
    """An assertion as a control dependency; otherwise stateless decoders would not wait for it."""
    check = tf.debugging.Assert(condition, [sentence])
    return [] if check is None else [check]
