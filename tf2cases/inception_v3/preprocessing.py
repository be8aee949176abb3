"""Preprocessing of pictures for the network, which depends on who trained its weights."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf2cases.data.pictures.graph import Decoding, composite_on_white, decode_batch
from tf2cases.inception_v3.network import IMAGE_SHAPE


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """The preprocessing of pictures for one kind of weights.

    Attributes:
      name: name of the kind.
      crop: fraction of the height and of the width to keep, around the center.
      half_pixel_centers: whether resizing uses half-pixel centers, as is usual today; TensorFlow did not before 2019.
      scale, shift: the network's input is scale * image + shift for images in [0, 1].
      dct_method: how JPEGs are decoded, see `pictures.graph.Decoding`; "" is TensorFlow's own default.
      last_pool: the pool in the network's last block, see `Network`.
    """

    name: str
    crop: float
    half_pixel_centers: bool
    scale: float
    shift: float
    dct_method: str
    last_pool: str

    def scaled(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [N, 299, 299, 3] in [0, 1] to the input of the network."""
        return images * self.scale + self.shift

    def to_image(self, rgba: Any) -> tf.Tensor:
        """uint8 [..., height, width, 4] -> float32 [..., 299, 299, 3] in [0, 1], on white; bilinear, no antialiasing.

        Only the pixels that contribute are read, at most 598 x 598, so large pictures cost no extra time or memory.
        """
        rgba = tf.convert_to_tensor(rgba)
        resized = self._resized(rgba)
        # An opaque picture, as most are, takes a tenth of the time.
        is_opaque = tf.reduce_min(resized[..., 3]) >= 255
        return tf.cond(is_opaque, lambda: resized[..., :3] / 255, lambda: self._resized_on_white(rgba))

    def _resized(self, rgba):
        """Resizes each channel by itself, correct for opaque pictures: float32 [..., 299, 299, 4] in [0, 255]."""
        if self.crop < 1:
            height, width = tf.shape(rgba)[-3], tf.shape(rgba)[-2]
            top, left = (tf.cast(self._start(tf.cast(length, tf.float32)), tf.int32) for length in (height, width))
            rgba = rgba[..., top : height - top, left : width - left, :]
        # This kernel reads uint8, which avoids a float copy of a large picture.
        resized = tf.raw_ops.ResizeBilinear(
            images=rgba if rgba.shape.rank == 4 else rgba[tf.newaxis],
            size=IMAGE_SHAPE[:2],
            half_pixel_centers=self.half_pixel_centers,
        )
        return resized if rgba.shape.rank == 4 else resized[0]

    def _resized_on_white(self, rgba):
        first_y, second_y, part_y = self._rows(tf.shape(rgba)[-3], IMAGE_SHAPE[0])
        first_x, second_x, part_x = self._rows(tf.shape(rgba)[-2], IMAGE_SHAPE[1])

        def between(first, second, part):
            return first + (second - first) * part

        def row(y):
            pixels = tf.gather(rgba, y, axis=-3)
            left, right = (composite_on_white(tf.gather(pixels, x, axis=-2)) for x in (first_x, second_x))
            return between(left, right, part_x[:, tf.newaxis])

        return between(row(first_y), row(second_y), part_y[:, tf.newaxis, tf.newaxis])

    def _start(self, length):
        """The pixels to cut off at either end, rounded as in tf.image.central_crop."""
        return tf.floor((length - length * self.crop) / 2)

    def _rows(self, length, wanted):
        """The two input rows of each output row, int32 [wanted] twice, and the second's weight, float32 [wanted]."""
        length = tf.cast(length, tf.float32)
        start = self._start(length)
        length -= 2 * start
        place = tf.range(wanted, dtype=tf.float32)
        centre = 0.5 if self.half_pixel_centers else 0.0
        place = (place + centre) * (length / wanted) - centre
        first = tf.floor(place)
        low, high = (tf.clip_by_value(row, 0.0, length - 1) + start for row in (first, first + 1))
        return tf.cast(low, tf.int32), tf.cast(high, tf.int32), place - first

    def decode(self, files: tf.Tensor) -> tf.Tensor:
        """Encoded pictures, string [N], to images, float32 [N, 299, 299, 3] in [0, 1]."""
        return decode_batch(files, self.to_image, IMAGE_SHAPE, Decoding(dct_method=self.dct_method))


KERAS = Preprocessing("keras", 1.0, True, 2.0, -1.0, "INTEGER_ACCURATE", "average")
SLIM = Preprocessing("slim", 0.875, False, 2.0, -1.0, "", "average")
# (x - 128) / 128 for x in [0, 255].
GRAPH_2015 = Preprocessing("2015", 1.0, False, 255 / 128, -1.0, "", "max")
