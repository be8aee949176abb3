"""Finds what was written on a page in a photo: how dark each pixel is for its place, and the connected strokes.

Light on paper varies: shadows, vignettes, a lamp at one side. So each pixel is divided by the paper's brightness around
it. That is estimated by a grey closing, which fills what is narrower than a fifth of the picture, such as strokes, and
keeps wider things, such as shadows and the desk, as they are. Where paper is all around, there is no desk, and it fills
what is narrower than half of the picture. What touches the picture's border is not writing but the desk, a finger, a
scanner's edge or ruled lines. Where a digit is connected with ruled lines, which are lighter than it, a higher
threshold separates them.

TensorFlow operations only, so that a served signature can do it itself.
"""

from typing import NamedTuple

import tensorflow as tf

from tf2cases.data.pictures import connected
from tf2cases.data.pictures.graph import composite_on_white, reduced, to_grey

_OPAQUE = 255
_SIZE = 384  # pixels; the longer side of what is looked at
ENOUGH_PIXELS = 576  # of the longer side of a photo; more make no difference
_COARSE = 128  # pixels; the longer side of the picture in which the paper is estimated
_CLOSING = 25  # of _COARSE; wider than strokes
_WIDE_CLOSING = 61  # of _COARSE; wider than those of a marker on a picture that was cropped to its digit
_AVERAGE = 61  # of _COARSE; wider than a digit's strokes and gaps
_RING = 2  # of _COARSE; what counts as the border
_EVEN = 0.9  # of the border, if it is all paper
_MOST_INK = 0.7  # of the picture
_SMOOTHING = 5  # of _COARSE
_SHADE = 9  # of _SIZE; what is wider than this and much lighter than the ink is a shadow
_WIDE_SHADE = 15  # of _SIZE
_PLATEAU = 0.9  # of the brightness in a larger square
_SHADOW = 0.65  # of the darkest place
_BLACK = 0.05  # brightness; paper is not darker, in whatever light
_DESK = 0.35  # of the brightest paper; what is darker all around is no paper
FAINTEST = 0.06  # darker than paper by this part; less is noise
_LEVELS = (0.25, 0.4, 0.55, 0.7)  # thresholds, as parts of the darkest place
_CENTRE = 0.12  # of each side; ink nearer to the border may be the desk
_ENOUGH = 0.8  # of the centre's ink
_CORNER = 0.1  # of the sides of a region's box


class Ink(NamedTuple):
    """What was written, in a copy of a picture reduced to at most 384 pixels a side.

    Attributes:
      darkness: float32 [h, w] in [0, 1], 0 for paper and 1 for black; for light strokes on a dark ground, of the
        negative.
      labels: int32 [h, w], the number of each pixel's region, from 1; 0 for none.
      boxes: int32 [R, 4], first row and column, last row and column of each region.
      weight: float32 [R], the sum of the inks of its pixels' darkness, so that ink weighs more than a shadow.
      inside: bool [R], whether it keeps off the picture's border.
      pixels: float32 [R], their number.
      cornered: float32 [R] in [0, 1], the smallest part of its weight that lies in a corner of its box.
      centre: float32, the weight of all ink far from the border, whether or not it is connected with it.
    """

    darkness: tf.Tensor
    labels: tf.Tensor
    boxes: tf.Tensor
    weight: tf.Tensor
    inside: tf.Tensor
    pixels: tf.Tensor
    cornered: tf.Tensor
    centre: tf.Tensor


@tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])  # one copy, however many signatures use it
def find(rgba: tf.Tensor) -> Ink:
    """Finds the strokes on a page.

    Args:
      rgba: uint8 [height, width, 4], at least one pixel.
    """
    dark = darkness(grey(rgba))
    darkest = _darkest(dark)
    levels = tf.constant(_LEVELS)

    def at(number, *_):
        threshold = tf.maximum(levels[number] * darkest, FAINTEST)
        regions = _regions(dark, threshold)
        centre = _centre_weight(dark, threshold)
        enough = tf.reduce_sum(tf.where(regions[3], regions[2], 0.0)) >= _ENOUGH * centre
        return number + 1, enough, *regions, centre

    def again(number, enough, *_):
        return tf.logical_and(number < len(_LEVELS), tf.logical_not(enough))

    no_labels, no_boxes = tf.zeros_like(dark, tf.int32), tf.zeros([0, 4], tf.int32)
    start = (0, False, no_labels, no_boxes, tf.zeros([0]), tf.zeros([0], tf.bool), tf.zeros([0]), tf.zeros([0]), 0.0)
    shapes = [[], [], [None, None], [None, 4], [None], [None], [None], [None], []]
    found = tf.while_loop(again, at, start, shape_invariants=tuple(map(tf.TensorShape, shapes)))
    return Ink(dark, *found[2:])


def grey(rgba: tf.Tensor) -> tf.Tensor:
    """A picture on white, in grey, averaged down to at most 384 pixels a side.

    Args:
      rgba: uint8 [height, width, 4].

    Returns:
      float32 [h, w, 1] in [0, 1].
    """
    size, longest = tf.shape(rgba)[:2], _longest(rgba)

    def averaged():
        # The cheapest way for large photos, which are opaque; the kernel is twice as fast for three channels.
        return tf.raw_ops.ResizeArea(images=rgba[tf.newaxis, ..., :3], size=_scaled(size, _SIZE / longest))[0] / 255

    def composited():
        white = composite_on_white(reduced(rgba))
        smaller = tf.minimum(_SIZE / _longest(white), 1.0)
        return tf.image.resize(white, _scaled(tf.shape(white)[:2], smaller), "area")

    opaque = tf.reduce_min(rgba[..., 3]) == _OPAQUE
    return to_grey(tf.cond(tf.logical_and(longest > _SIZE, opaque), averaged, composited))


def darkness(page: tf.Tensor) -> tf.Tensor:
    """How much darker than the paper around each pixel is; on a dark ground, how much lighter.

    Args:
      page: float32 [h, w, 1] in [0, 1].

    Returns:
      float32 [h, w] in [0, 1].
    """
    coarse = tf.image.resize(page, _scaled(tf.shape(page)[:2], _COARSE / _longest(page)), "area")
    light, even = _ground(coarse)
    page, coarse = tf.where(light, 1 - page, page), tf.where(light, 1 - coarse, coarse)
    closed = tf.cond(even, lambda: _closed(coarse, _WIDE_CLOSING), lambda: _closed(coarse, _CLOSING))
    paper = tf.image.resize(_mean(closed, _SMOOTHING), tf.shape(page)[:2])
    is_paper = paper > _DESK * tf.reduce_max(paper)
    # Parts of shadows are narrower than the squares. They are lighter than ink, and wider than strokes: larger squares
    # leave them as dark as smaller ones.
    smooth = _mean(page, 3)
    shade = _closed(smooth, _SHADE)
    lightest = 1 - _SHADOW * _darkest(_darker(page, paper)[..., 0])
    is_shadow = tf.logical_and(shade > lightest * paper, shade > _PLATEAU * _closed(smooth, _WIDE_SHADE))
    # One decision for neighbouring pixels, so that a grained desk stays in one piece.
    is_shadow = _mean(tf.cast(is_shadow, tf.float32), _SHADE) > 0.5
    paper = tf.where(is_shadow, tf.minimum(_closed(page, _SHADE), paper), paper)
    return tf.where(is_paper, _darker(page, paper), 0.0)[..., 0]


def _darker(page, paper):
    return tf.clip_by_value((paper - page) / tf.maximum(paper, _BLACK), 0.0, 1.0)


def _darkest(dark):
    """The darkness of the darkest place, float32, of [h, w]; not of specks, nor of what may be the desk."""
    return tf.reduce_max(_mean(_inner(dark)[..., tf.newaxis], 3))


def _ground(coarse):
    """Whether strokes are lighter than their ground, and whether the picture's border is nothing but ground.

    Strokes cover less than the ground. So they are dark if the third moment of the differences from the local mean is
    negative, in logarithms, in which the two sides of a shadow's edge cancel. Strokes so wide that they cover about
    half of the picture keep off a border that is even.
    """
    logarithm = tf.math.log(tf.maximum(coarse, _BLACK))
    light = tf.reduce_mean((logarithm - _mean(logarithm, _AVERAGE)) ** 3) > 0
    bright = tf.cast(coarse > (tf.reduce_min(coarse) + tf.reduce_max(coarse)) / 2, tf.float32)
    inner = bright[_RING:-_RING, _RING:-_RING]
    pixels = [tf.cast(tf.size(part), tf.float32) for part in (bright, inner)]
    border = (tf.reduce_sum(bright) - tf.reduce_sum(inner)) / (pixels[0] - pixels[1])
    light = tf.logical_and(light, tf.logical_or(border < _EVEN, tf.reduce_mean(bright) < 1 - _MOST_INK))
    return light, tf.where(light, 1 - border, border) >= _EVEN


def _closed(page, size):
    """The grey closing by inks: what is dark and narrower than a square is filled."""
    return -_maximum(-_maximum(page, size), size)


def widened(mask: tf.Tensor) -> tf.Tensor:
    """A mask, bool [h, w], with two more pixels on each side; float32 [h, w], 0 or 1."""
    return _maximum(tf.cast(mask, tf.float32)[..., tf.newaxis], 5)[..., 0]


def _regions(dark, threshold):
    mask = dark > threshold
    labels, count = connected.label(mask)
    places = tf.where(mask)
    regions = tf.gather_nd(labels, places) - 1
    inks = tf.gather_nd(dark, places) ** 2
    weight = tf.math.unsorted_segment_sum(inks, regions, count)
    places = tf.cast(places, tf.int32)
    first = tf.math.unsorted_segment_min(places, regions, count)
    last = tf.math.unsorted_segment_max(places, regions, count)
    inside = tf.reduce_all(tf.logical_and(first > 1, last < tf.shape(dark) - 2), axis=1)
    pixels = tf.math.unsorted_segment_sum(tf.ones_like(inks), regions, count)
    cornered = _cornered(places, inks, regions, first, last, count)
    return labels, tf.concat([first, last], 1), weight, inside, pixels, cornered


def _cornered(places, inks, regions, first, last, count):
    """See `Ink.cornered`."""
    start, end = tf.gather(first, regions), tf.gather(last, regions)
    margin = _CORNER * tf.cast(end - start + 1, tf.float32)
    low, high = (tf.cast(distance, tf.float32) < margin for distance in (places - start, end - places))
    corners = [tf.logical_and(rows[:, 0], columns[:, 1]) for rows in (low, high) for columns in (low, high)]
    parts = tf.where(tf.stack(corners, 1), inks[:, tf.newaxis], 0.0)
    least = tf.reduce_min(tf.math.unsorted_segment_sum(parts, regions, count), 1)
    return tf.math.divide_no_nan(least, tf.math.unsorted_segment_sum(inks, regions, count))


def _centre_weight(dark, threshold):
    """The weight of what is far from the border, and so ink."""
    inner = _inner(dark)
    return tf.reduce_sum(tf.where(inner > threshold, inner**2, 0.0))


def _inner(dark):
    """What is far from the border, of [h, w]."""
    margin = tf.cast(_CENTRE * tf.cast(tf.shape(dark), tf.float32), tf.int32)
    return dark[margin[0] : tf.shape(dark)[0] - margin[0], margin[1] : tf.shape(dark)[1] - margin[1]]


def _maximum(page, size):
    """The maximum over squares, of [h, w, 1]."""
    return _pooled(tf.nn.max_pool2d, page, size)


def _mean(page, size):
    """The mean over squares, of [h, w, 1]."""
    return _pooled(tf.nn.avg_pool2d, page, size)


def _pooled(pool, page, size):
    """Pools columns, then rows; each time the other axis takes the place of the channels, over which pools are fast."""
    columns = pool(page[tf.newaxis, :, :, 0][:, :, tf.newaxis], [1, size, 1, 1], 1, "SAME")
    rows = pool(tf.transpose(columns, [0, 3, 2, 1]), [1, size, 1, 1], 1, "SAME")
    return tf.transpose(rows, [3, 1, 2, 0])[..., 0]


def _longest(page):
    return tf.cast(tf.reduce_max(tf.shape(page)[:2]), tf.float32)


def _scaled(size, factor):
    return tf.maximum(tf.cast(tf.round(tf.cast(size, tf.float32) * factor), tf.int32), 1)
