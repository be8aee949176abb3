"""Finds what was written on a page in a photo: how dark each pixel is for its place, and the connected strokes.

Light on paper varies: shadows, vignettes, a lamp at one side. So each pixel is divided by the paper's brightness around
it. That is estimated by a grey closing, which fills what is narrower than a fifth of the picture, such as strokes, and
keeps wider things, such as shadows and the desk, as they are. What touches the picture's border is not writing but the
desk, a finger, a scanner's edge or ruled lines. Where a digit is connected with ruled lines, which are lighter than it,
a higher threshold separates them.

TensorFlow operations only, so that a served signature can do it itself.
"""

from typing import NamedTuple

import tensorflow as tf

from tf2cases.data.pictures import connected
from tf2cases.data.pictures.graph import composite_on_white, reduced, to_grey

_OPAQUE = 255
_SIZE = 384  # pixels; the longer side of what is looked at
_COARSE = 128  # pixels; the longer side of the picture in which the paper is estimated
_CLOSING = 25  # of _COARSE; wider than strokes
_AVERAGE = 61  # of _COARSE; wider than a digit's strokes and gaps
_SMOOTHING = 5  # of _COARSE
_BLACK = 0.05  # brightness; paper is not darker, in whatever light
_DESK = 0.35  # of the brightest paper; what is darker all around is no paper
FAINTEST = 0.06  # darker than paper by this part; less is noise
_LEVELS = (0.25, 0.4, 0.55, 0.7)  # thresholds, as parts of the darkest place
_CENTRE = 0.1  # of each side; ink nearer to the border may be the desk
_ENOUGH = 0.6  # of the centre's ink


class Ink(NamedTuple):
    """What was written, in a copy of a picture reduced to at most 384 pixels a side.

    Attributes:
      darkness: float32 [h, w] in [0, 1], 0 for paper and 1 for black; for light strokes on a dark ground, of the
        negative.
      labels: int32 [h, w], the number of each pixel's region, from 1; 0 for none.
      boxes: int32 [R, 4], first row and column, last row and column of each region.
      weight: float32 [R], the sum of the squares of its pixels' darkness, so that ink weighs more than a shadow.
      inside: bool [R], whether it keeps off the picture's border.
      centre: float32, the weight of all ink far from the border, whether or not it is connected with it.
    """

    darkness: tf.Tensor
    labels: tf.Tensor
    boxes: tf.Tensor
    weight: tf.Tensor
    inside: tf.Tensor
    centre: tf.Tensor


@tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])  # one copy, however many signatures use it
def find(rgba: tf.Tensor) -> Ink:
    """Finds the strokes on a page.

    Args:
      rgba: uint8 [height, width, 4], at least one pixel.
    """
    dark = darkness(grey(rgba))
    darkest = tf.reduce_max(_mean(dark[..., tf.newaxis], 3))
    levels = tf.constant(_LEVELS)

    def at(number, *_):
        threshold = tf.maximum(levels[number] * darkest, FAINTEST)
        labels, boxes, weight, inside = _regions(dark, threshold)
        centre = _centre_weight(dark, threshold)
        enough = tf.reduce_sum(tf.where(inside, weight, 0.0)) >= _ENOUGH * centre
        return number + 1, enough, labels, boxes, weight, inside, centre

    def again(number, enough, *_):
        return tf.logical_and(number < len(_LEVELS), tf.logical_not(enough))

    no_labels, no_boxes = tf.zeros_like(dark, tf.int32), tf.zeros([0, 4], tf.int32)
    start = (0, False, no_labels, no_boxes, tf.zeros([0]), tf.zeros([0], tf.bool), 0.0)
    shapes = [[], [], [None, None], [None, 4], [None], [None], []]
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
        # The cheapest way for large photos, which are opaque, but it knows nothing of transparency.
        return tf.raw_ops.ResizeArea(images=rgba[tf.newaxis], size=_scaled(size, _SIZE / longest))[0, ..., :3] / 255

    def composited():
        white = composite_on_white(reduced(rgba))
        smaller = tf.minimum(_SIZE / _longest(white), 1.0)
        return tf.image.resize(white, _scaled(tf.shape(white)[:2], smaller), "area")

    opaque = tf.reduce_min(rgba[..., 3]) == _OPAQUE
    return to_grey(tf.cond(tf.logical_and(longest > _SIZE, opaque), averaged, composited))


def darkness(page: tf.Tensor) -> tf.Tensor:
    """How much darker than the paper around each pixel is; on a dark ground, how much lighter.

    Strokes cover less than the ground. So they are dark if the third moment of the differences from the local mean is
    negative.

    Args:
      page: float32 [h, w, 1] in [0, 1].

    Returns:
      float32 [h, w] in [0, 1].
    """
    coarse = tf.image.resize(page, _scaled(tf.shape(page)[:2], _COARSE / _longest(page)), "area")
    light = tf.reduce_mean((coarse - _mean(coarse, _AVERAGE)) ** 3) > 0
    page, coarse = tf.where(light, 1 - page, page), tf.where(light, 1 - coarse, coarse)
    closed = -_maximum(-_maximum(coarse, _CLOSING), _CLOSING)
    paper = tf.image.resize(_mean(closed, _SMOOTHING), tf.shape(page)[:2])
    dark = tf.clip_by_value((paper - page) / tf.maximum(paper, _BLACK), 0.0, 1.0)
    return tf.where(paper > _DESK * tf.reduce_max(paper), dark, 0.0)[..., 0]


def widened(mask: tf.Tensor) -> tf.Tensor:
    """A mask, bool [h, w], with two more pixels on each side; float32 [h, w], 0 or 1."""
    return _maximum(tf.cast(mask, tf.float32)[..., tf.newaxis], 5)[..., 0]


def _regions(dark, threshold):
    mask = dark > threshold
    labels, count = connected.label(mask)
    places = tf.where(mask)
    regions = tf.gather_nd(labels, places) - 1
    weight = tf.math.unsorted_segment_sum(tf.gather_nd(dark, places) ** 2, regions, count)
    places = tf.cast(places, tf.int32)
    first = tf.math.unsorted_segment_min(places, regions, count)
    last = tf.math.unsorted_segment_max(places, regions, count)
    inside = tf.reduce_all(tf.logical_and(first > 1, last < tf.shape(dark) - 2), axis=1)
    return labels, tf.concat([first, last], 1), weight, inside


def _centre_weight(dark, threshold):
    """The weight of what is far from the border, and so ink."""
    margin = tf.cast(tf.round(_CENTRE * tf.cast(tf.shape(dark), tf.float32)), tf.int32)
    inner = dark[margin[0] : tf.shape(dark)[0] - margin[0], margin[1] : tf.shape(dark)[1] - margin[1]]
    return tf.reduce_sum(tf.where(inner > threshold, inner**2, 0.0))


def _maximum(page, size):
    """The maximum over squares, of [h, w, 1]."""
    rows = tf.nn.max_pool2d(page[tf.newaxis], [1, size, 1, 1], 1, "SAME")
    return tf.nn.max_pool2d(rows, [1, 1, size, 1], 1, "SAME")[0]


def _mean(page, size):
    """The mean over squares, of [h, w, 1]."""
    rows = tf.nn.avg_pool2d(page[tf.newaxis], [1, size, 1, 1], 1, "SAME")
    return tf.nn.avg_pool2d(rows, [1, 1, size, 1], 1, "SAME")[0]


def _longest(page):
    return tf.cast(tf.reduce_max(tf.shape(page)[:2]), tf.float32)


def _scaled(size, factor):
    return tf.maximum(tf.cast(tf.round(tf.cast(size, tf.float32) * factor), tf.int32), 1)
