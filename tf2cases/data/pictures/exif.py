"""The EXIF orientation of JPEG files, with TensorFlow operations only, so that a served signature can follow it.

Phones store photos as their sensor sees them, and say in the EXIF data how to turn them (CIPA DC-008, section 4.6.4).
"""

import tensorflow as tf

_HEAD_BYTES = 4096  # EXIF data come first in a file, and the orientation is among their first entries
_ENTRIES = 64  # that are looked at
_ORIENTATION, _SHORT = 0x0112, 3  # the tag, and the type of its value


def orientation(jpeg: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG file.

    Args:
      jpeg: scalar string.

    Returns:
      int32 in 1..8; 1, upright, if the file has none or its EXIF data are damaged.
    """
    parts = tf.strings.split(tf.strings.substr(jpeg, 0, _HEAD_BYTES), b"Exif\0\0", maxsplit=1)
    tiff = tf.concat([parts, [b""]], 0)[1]
    size = tf.strings.length(tiff)
    # Offsets may be anything; what lies outside reads as 0.
    values = tf.cast(tf.io.decode_raw(tf.strings.join([tiff, b"\0" * 4]), tf.uint8), tf.int32)
    is_big_endian = values[0] == ord("M")

    def byte(place):
        return tf.gather(values, tf.where(tf.logical_and(place >= 0, place < size), place, size))

    def short(place):
        first, second = byte(place), byte(place + 1)
        return tf.where(is_big_endian, 256 * first + second, first + 256 * second)

    directory = short(4 + 2 * tf.cast(is_big_endian, tf.int32))  # the low half of the offset; the other must be 0
    places = directory + 2 + 12 * tf.range(tf.minimum(short(directory), _ENTRIES))
    found = tf.logical_and(short(places) == _ORIENTATION, short(places + 2) == _SHORT)
    value = tf.concat([tf.boolean_mask(short(places + 8), found), [1]], 0)[0]
    return tf.where(tf.logical_and(value >= 1, value <= 8), value, 1)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors an image, [height, width, C], of an orientation in 1..8 to be seen upright."""

    def when(numbers, change, image):
        return tf.cond(tf.reduce_any(orientation == numbers), lambda: change(image), lambda: image)

    image = when([5, 6, 7, 8], lambda image: tf.transpose(image, [1, 0, 2]), image)
    image = when([3, 4, 7, 8], lambda image: image[::-1], image)
    return when([2, 3, 6, 7], lambda image: image[:, ::-1], image)
