"""Decoding and encoding pictures with TensorFlow operations only, so that a served signature can do it itself.

Only PNG, JPEG and BMP are decoded; clients convert other files, see `files.read`.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tf2cases.data.pictures.decoding import MAX_PIXELS

_OPAQUE = 255
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 64


def decode(image_bytes: tf.Tensor | bytes, dct_method: str = "INTEGER_ACCURATE") -> tf.Tensor:
    """Decodes one PNG, JPEG or BMP picture, recognised by its first bytes, to RGBA.

    The header is read first: a picture of more than `MAX_PIXELS` pixels is refused before memory is allocated for it.
    16-bit pictures lose their low byte; an EXIF orientation is not applied; an animated PNG yields its still picture.
    BMP pictures must be uncompressed, with 24 or 32 bits per pixel; the fourth byte of the latter is ignored, as in
    viewers.

    Args:
      image_bytes: scalar string.
      dct_method: the inverse transform for JPEG, see `tf.io.decode_jpeg`; the default matches other decoders.

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
            lambda: _decode_png(image_bytes, head),
            lambda: _decode_jpeg(image_bytes, dct_method),
            lambda: _decode_bmp(image_bytes, head),
        ],
    )
    return tf.ensure_shape(rgba, [None, None, 4])


def decode_batch(
    image_bytes: tf.Tensor,
    to_image: Callable[[tf.Tensor], tf.Tensor],
    shape: Sequence[int],
    dct_method: str = "INTEGER_ACCURATE",
) -> tf.Tensor:
    """Decodes encoded pictures to a batch of arrays.

    Args:
      image_bytes: string [N].
      to_image: uint8 RGBA [height, width, 4] -> float32 [*shape], for example `digit_pictures.to_digit`.
      shape: the static shape of one result.
      dct_method: see `decode`.

    Returns:
      float32 [N, *shape].

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    # Strings cannot be moved to a GPU, so the whole loop stays on the CPU (tensorflow#28007). One picture at a time:
    # more are not faster, and each may need memory for 50 megapixels.
    with tf.device("/cpu:0"):
        return tf.map_fn(
            lambda one: tf.ensure_shape(to_image(decode(one, dct_method)), shape),
            image_bytes,
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )


def encode_batch(images: tf.Tensor) -> tf.Tensor:
    """Encodes pictures as PNG files.

    Args:
      images: float32 [N, H, W, C] in [0, 1] (clipped), C in {1, 3}.

    Returns:
      string [N].
    """
    pixels = tf.cast(tf.round(tf.clip_by_value(images, 0.0, 1.0) * 255), tf.uint8)
    with tf.device("/cpu:0"):  # as in `decode_batch`
        return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec([], tf.string))


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


def _decode_png(image_bytes, head):
    with tf.control_dependencies(_require_size(_int32(head, 16, False), _int32(head, 20, False))):
        rgba = tf.io.decode_png(image_bytes, channels=4)
    # TensorFlow's decoder fills in the alpha of an opaque picture at the file's bit depth: 1, 3 or 15 for 1, 2 or 4
    # bits. Such a file with a transparency chunk has alpha in 0..255.
    depth = tf.cast(_uint8(head, 24), tf.int32)
    filler = tf.cast(tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1, tf.uint8)
    missing = tf.logical_and(depth < 8, tf.reduce_all(rgba[..., 3] == filler))
    return tf.cond(missing, lambda: _opaque(rgba[..., :3]), lambda: rgba)


def _decode_jpeg(image_bytes, dct_method):
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(image_bytes))
    with tf.control_dependencies(_require_size(width, height)):
        rgb = tf.io.decode_jpeg(image_bytes, channels=3, dct_method=dct_method)
    return _opaque(rgb)


def _decode_bmp(image_bytes, head):
    width, height = _int32(head, 18), tf.abs(_int32(head, 22))  # negative: rows run from the top
    bits = tf.bitwise.bitwise_and(_int32(head, 28), 0xFFFF)
    plain = tf.reduce_all([_int32(head, 14) >= 40, _int32(head, 30) == 0])
    kind = _require(
        tf.logical_and(plain, tf.logical_or(bits == 24, bits == 32)),
        "BMP pictures must be uncompressed, with 24 or 32 bits per pixel.",
    )
    with tf.control_dependencies(kind + _require_size(width, height)):
        pixels = tf.io.decode_bmp(image_bytes, channels=0)
    return _opaque(pixels[..., :3])


def _opaque(rgb):
    rgba = tf.pad(rgb, [[0, 0], [0, 0], [0, 1]], constant_values=_OPAQUE)
    return tf.ensure_shape(rgba, [None, None, 4])


def _uint8(text, offset):
    return tf.io.decode_raw(tf.strings.substr(text, offset, 1), tf.uint8)[0]


def _int32(text, offset, little_endian=True):
    return tf.io.decode_raw(tf.strings.substr(text, offset, 4), tf.int32, little_endian)[0]


def _require_size(width, height):
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    too_large = tf.strings.format(
        "The picture has {} x {} pixels, but at most 50 megapixels are accepted.", (width, height)
    )
    return _require(tf.logical_and(width > 0, height > 0), "The picture has no pixels.") + _require(
        pixels <= MAX_PIXELS, too_large
    )


def _require(condition, sentence):
    """An assertion as a control dependency; otherwise stateless decoders would not wait for it."""
    check = tf.debugging.Assert(condition, [sentence])
    return [] if check is None else [check]
