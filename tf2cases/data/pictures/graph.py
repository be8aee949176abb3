"""Encoded pictures to arrays with TensorFlow operations only, so that a served signature can do it itself."""

import tensorflow as tf

MAX_PIXELS = 50_000_000  # a picture of a few kilobytes can unpack to gigabytes
DIGIT_SIZE = 28  # MNIST's pictures
_INK_SIZE = 20  # the box inside them into which its digits were fitted (LeCun et al. 1998, section III.A)
_OPAQUE = 255
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 64


def decode(image_bytes, dct_method="INTEGER_ACCURATE"):
    """One encoded picture to RGBA; PNG, JPEG, GIF (its first frame) and BMP, told apart by their first bytes.

    The header is read first: a picture of more than `MAX_PIXELS` pixels is refused before memory is taken for it.
    16-bit pictures lose their low byte; an EXIF orientation is not applied; of BMP, the uncompressed kinds with 24
    and 32 bits a pixel are read, and the fourth byte of the latter is ignored, as viewers do.

    Args:
      image_bytes: scalar string.
      dct_method: how JPEG's transform is undone, see `tf.io.decode_jpeg`; by default as other decoders do.

    Returns:
      uint8 [height, width, 4], red, green, blue and straight (not premultiplied) alpha.

    Raises:
      tf.errors.InvalidArgumentError: not one of the four formats, damaged, or too many pixels.
    """
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes, tf.string), [])
    head = tf.strings.join([tf.strings.substr(image_bytes, 0, _HEAD_BYTES), b"\0" * _HEAD_BYTES])
    is_format = [
        tf.strings.substr(head, 0, 8) == _PNG,
        tf.strings.substr(head, 0, 3) == b"\xff\xd8\xff",
        tf.strings.regex_full_match(tf.strings.substr(head, 0, 6), "GIF8[79]a"),
        tf.strings.substr(head, 0, 2) == b"BM",
    ]
    known = _require(tf.reduce_any(is_format), "The bytes are not a PNG, JPEG, GIF or BMP picture.")
    with tf.control_dependencies(known):
        chosen = tf.argmax(tf.cast(tf.stack(is_format), tf.int32), output_type=tf.int32)
    rgba = tf.switch_case(
        chosen,
        [
            lambda: _decode_png(image_bytes, head),
            lambda: _decode_jpeg(image_bytes, dct_method),
            lambda: _decode_gif(image_bytes, head),
            lambda: _decode_bmp(image_bytes, head),
        ],
    )
    return tf.ensure_shape(rgba, [None, None, 4])


def decode_batch(image_bytes, to_image, shape, dct_method="INTEGER_ACCURATE"):
    """Encoded pictures to a batch of arrays.

    Args:
      image_bytes: string [N].
      to_image: uint8 RGBA [height, width, 4] -> float32 [*shape], for example `to_digit`.
      shape: the static shape of one result.
      dct_method: see `decode`.

    Returns:
      float32 [N, *shape].

    Raises:
      tf.errors.InvalidArgumentError: see `decode`.
    """
    # Strings cannot be moved to a GPU, so the whole loop stays on the CPU (tensorflow#28007). One picture at a time:
    # more bring no speed, and each may need memory for 50 megapixels.
    with tf.device("/cpu:0"):
        return tf.map_fn(
            lambda one: tf.ensure_shape(to_image(decode(one, dct_method)), shape),
            image_bytes,
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )


def encode_batch(images):
    """Pictures to PNG files.

    Args:
      images: float32 [N, H, W, C] in [0, 1] (clipped), C in {1, 3}.

    Returns:
      string [N].
    """
    pixels = tf.cast(tf.round(tf.clip_by_value(images, 0.0, 1.0) * 255), tf.uint8)
    with tf.device("/cpu:0"):  # as in `decode_batch`
        return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec([], tf.string))


def composite_on_white(rgba):
    """What RGBA pictures look like on white paper.

    Args:
      rgba: uint8, or float in [0, 1], [..., 4] with straight alpha.

    Returns:
      float32 [..., 3] in [0, 1].
    """
    rgba = tf.image.convert_image_dtype(rgba, tf.float32)
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1.0 - alpha)


def to_grey(rgb):
    """Brightness (luma) of RGB pictures, with the weights of ITU-R BT.601 that Pillow uses too.

    Args:
      rgb: float32 [..., 3].

    Returns:
      float32 [..., 1].
    """
    return tf.reduce_sum(rgb * [0.299, 0.587, 0.114], axis=-1, keepdims=True)


def to_digit(rgba):
    """A picture of one digit as MNIST would show it: bright ink on black, 28x28.

    The picture is composited on white and made grey. Dark ink on light paper is recognised by the border: if the
    outermost ring of pixels is brighter than 0.5 on average, the picture is inverted. A picture of 28x28 pixels is
    then left alone. In any other the ink is found (brighter than half way between the border's mean and the
    brightest spot, in a copy reduced to at most 112 pixels, where noise averages out), stretched to the full range,
    fitted into 20x20 pixels and placed with its centre of mass in the middle, as MNIST's authors did. A blank
    picture is padded to a centred square and resized.

    Measured with a small CNN (97.4 % on MNIST's first 500 test digits) on those digits drawn on larger pages, and in
    brackets what padding and resizing the whole page gives: centred at a third to two thirds of the page 96.2 %
    (51.2 %), anywhere on it 95.8 % (20.2 %), at 56 of 800 pixels 93.8 %, noisy JPEG photographs in uneven light 93.8
    to 97.2 % (9.0 %).

    Args:
      rgba: uint8 [height, width, 4].

    Returns:
      float32 [28, 28, 1] in [0, 1].
    """
    stride = tf.maximum(tf.reduce_max(tf.shape(rgba)[:2]) // 1024, 1)  # bounds the memory; ink is wider than this
    rgba = tf.ensure_shape(rgba[::stride, ::stride], [None, None, 4])
    grey = to_grey(composite_on_white(rgba))
    ring = _ring_mean(grey)
    dark_on_light = ring > 0.5
    grey = tf.where(dark_on_light, 1.0 - grey, grey)
    ring = tf.where(dark_on_light, 1.0 - ring, ring)
    as_is = tf.reduce_all(tf.shape(grey)[:2] == DIGIT_SIZE)
    digit = tf.cond(as_is, lambda: grey, lambda: _fit_digit(grey, ring))
    return tf.ensure_shape(tf.clip_by_value(digit, 0.0, 1.0), [DIGIT_SIZE, DIGIT_SIZE, 1])


def _ring_mean(grey):
    """The mean of the outermost pixels of [height, width, 1]."""
    inner = grey[1:-1, 1:-1]
    count = tf.cast(tf.size(grey) - tf.size(inner), tf.float32)
    return (tf.reduce_sum(grey) - tf.reduce_sum(inner)) / count


def _fit_digit(grey, background):
    """Bright ink on a dark page [height, width, 1] to [28, 28, 1]."""
    small = _resize(grey, tf.minimum(112.0 / _longest(grey), 1.0))
    brightest = tf.reduce_max(small)
    contrast = brightest - background
    return tf.cond(
        contrast < 0.1,
        lambda: _resize(_centre(grey, tf.reduce_max(tf.shape(grey))), DIGIT_SIZE / _longest(grey)),
        lambda: _fit_ink((grey - background) / contrast, small > background + 0.5 * contrast),
    )


def _fit_ink(grey, is_ink):
    """Crops to the ink, found in a reduced copy, and places it as MNIST does."""

    def bounds(axis):
        found = tf.where(tf.reduce_any(is_ink, axis=[1 - axis, 2]))[:, 0]
        size, reduced = tf.shape(grey)[axis], tf.shape(is_ink)[axis]
        first, end = tf.cast(found[0], tf.int32), tf.cast(found[-1], tf.int32) + 1
        return first * size // reduced, -(-end * size // reduced)  # rounded outwards

    (top, bottom), (left, right) = bounds(0), bounds(1)
    ink = tf.clip_by_value(grey[top:bottom, left:right], 0.0, 1.0)
    ink = tf.clip_by_value(_resize(ink, _INK_SIZE / _longest(ink)), 0.0, 1.0)
    total = tf.reduce_sum(ink)
    size = tf.shape(ink)[:2]
    middle = [
        tf.reduce_sum(tf.reduce_sum(ink, [1 - axis, 2]) * (tf.range(tf.cast(size[axis], tf.float32)) + 0.5))
        for axis in (0, 1)
    ]
    shift = tf.cast(tf.round(DIGIT_SIZE / 2 - tf.math.divide_no_nan(tf.stack(middle), total)), tf.int32)
    before = tf.clip_by_value(shift, 0, DIGIT_SIZE - size)
    return _pad(ink, before, DIGIT_SIZE)


def _longest(image):
    return tf.cast(tf.reduce_max(tf.shape(image)[:2]), tf.float32)


def _resize(image, factor):
    size = tf.cast(tf.round(tf.cast(tf.shape(image)[:2], tf.float32) * factor), tf.int32)
    return tf.image.resize(image, tf.maximum(size, 1), antialias=True)


def _centre(image, side):
    return _pad(image, (side - tf.shape(image)[:2]) // 2, side)


def _pad(image, before, side):
    """Zeros around [height, width, 1], up to [side, side, 1]."""
    after = side - before - tf.shape(image)[:2]
    return tf.pad(image, tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0))


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
        "Of BMP pictures only uncompressed ones with 24 or 32 bits a pixel are read.",
    )
    with tf.control_dependencies(kind + _require_size(width, height)):
        pixels = tf.io.decode_bmp(image_bytes, channels=0)
    return _opaque(pixels[..., :3])


def _decode_gif(image_bytes, head):
    """The first frame on its canvas; transparent pixels come out white, or with alpha 0 outside the frame.

    TensorFlow's decoder would unpack every frame first and paints transparent pixels black, so a GIF of the first frame
    alone is put together: header, palette with the transparent colour made white, frame.
    """
    codes = tf.cast(tf.io.decode_raw(image_bytes, tf.uint8), tf.int32)
    size = tf.size(codes)
    codes = tf.concat([codes, [0]], axis=0)

    def at(position):
        return codes[tf.minimum(position, size)]  # past the end: 0, which ends every list of blocks

    def short(position):
        return at(position) + 256 * at(position + 1)

    def palette_bytes(flags):
        colours = tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
        return tf.where(flags >= 128, 3 * colours, 0)

    def after_blocks(position):
        last = tf.while_loop(lambda p: at(p) > 0, lambda p: (p + at(p) + 1,), (position,), parallel_iterations=1)
        return last[0] + 1

    def extension(position, transparent):
        has_colour = tf.logical_and(at(position + 1) == 0xF9, at(position + 3) % 2 == 1)
        return after_blocks(position + 2), tf.where(has_colour, at(position + 6), transparent)

    frame, transparent = tf.while_loop(
        lambda position, _: at(position) == 0x21,
        extension,
        (13 + palette_bytes(at(10)), tf.constant(-1)),
        parallel_iterations=1,
    )
    canvas_width, canvas_height = short(6), short(8)
    left, top, width, height = (short(frame + offset) for offset in (1, 3, 5, 7))
    local_bytes = palette_bytes(at(frame + 9))
    end = after_blocks(frame + 11 + local_bytes)
    inside = tf.logical_and(left + width <= canvas_width, top + height <= canvas_height)
    whole = _require(
        tf.logical_and(at(frame) == 0x2C, end <= size), "The GIF picture is cut short or damaged."
    ) + _require(inside, "The GIF picture's first frame does not fit its canvas.")
    with tf.control_dependencies(whole + _require_size(canvas_width, canvas_height)):
        image_bytes = tf.identity(image_bytes)

    palette = tf.where(local_bytes > 0, frame + 10, 13)
    used_bytes = tf.where(local_bytes > 0, local_bytes, palette_bytes(at(10)))
    entry = palette + 3 * transparent
    image_bytes = tf.cond(
        tf.logical_and(transparent >= 0, 3 * transparent < used_bytes),
        lambda: tf.strings.join(
            [
                tf.strings.substr(image_bytes, 0, entry),
                b"\xff\xff\xff",
                tf.strings.substr(image_bytes, entry + 3, size - entry - 3),
            ]
        ),
        lambda: image_bytes,
    )
    first = tf.strings.join(
        [
            tf.strings.substr(head, 0, 6),
            tf.strings.substr(image_bytes, frame + 5, 4),  # the canvas is the frame
            tf.strings.substr(image_bytes, 10, 3 + palette_bytes(at(10))),
            b",\0\0\0\0",
            tf.strings.substr(image_bytes, frame + 5, end - frame - 5),
            b";",
        ]
    )
    rgba = _opaque(tf.io.decode_gif(first)[0])
    around = [[top, canvas_height - top - height], [left, canvas_width - left - width], [0, 0]]
    return tf.pad(rgba, around)


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
    """Operations to depend on: stateless decoders would not wait for an assertion otherwise."""
    check = tf.debugging.Assert(condition, [sentence])
    return [] if check is None else [check]
