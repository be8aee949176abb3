"""Conversion of pictures of handwritten digits to MNIST's format."""

from typing import NamedTuple

import tensorflow as tf

from tf2cases.data.pictures import connected, ink
from tf2cases.data.pictures.graph import SMALL, Decoding, composite_on_white, to_grey

DECODING = Decoding(SMALL, enough=ink.ENOUGH_PIXELS)  # of picture files for the functions below
SIZE = 28  # MNIST's pictures
MOST = 32  # digits that are read on a page
_INK_SIZE = 20  # side of the box that MNIST's digits were scaled to fit (LeCun et al. 1998, section III.A)
_CANDIDATES = 128  # regions of ink that are looked at, the heaviest ones
# A stroke belongs to a digit if it is near it, lower and not much lighter, or if their boxes overlap, but not if it is
# a line.
_NEAR = 0.12  # distance, in longer sides of the digit
_NEAR_ALONE = 0.2  # the same if there is only one digit
_PART = 0.7  # height, in heights of the digit
_SLIGHT = 0.02  # weight, in weights of the digit
_PALE = 0.25  # weight per pixel, in those of the digit
_OVERLAP = 0.3  # overlap, in areas of the smaller box
# A ruled line is longer than the digit, and thin; longer sides, in those of the digit and in own shorter ones.
_LONGER, _THIN = 1.3, 6.0
# A printed box has ink in all corners, and a digit inside; parts of its weight.
_IN_A_CORNER, _IN_A_BOX = 0.01, 0.1
# What is too small or too wide is no digit.
_TINY = 0.02  # longer side, in longer sides of the picture
_SHORT = 0.4  # height, in heights of the tallest digit on the page
_LONG = 3.0  # width, in own heights: a dash
_LINE = 0.5  # distance of the middles of digits on different lines, in median heights
_DOUBTFUL = 0.3  # certainty of what is not reported on a page
_SLANT = 0.15  # pixels to the side per pixel down; strokes that lean more are sheared back to this
_LEAST_INK = 50.0  # sum of a digit's pixels; MNIST's have 100 on average
_POWERS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)
_SURROUNDINGS = 0.06  # of the digit's longer side
# A digit is certain if it has the second share of the ink in its box or of all ink, and doubtful if it has the first.
_LOCAL, _OVERALL = (0.65, 0.8), (0.8, 0.97)
_LEAST_CERTAINTY = 0.05  # of any ink, so that the most likely digit is still named


class Digits(NamedTuple):
    """Digits found in a picture.

    Attributes:
      images: float32 [N, 28, 28, 1] in [0, 1].
      boxes: float32 [N, 4], top, left, bottom and right, as parts of the picture's height and width.
      certainty: float32 [N] in [0, 1], of being writing; a factor for the confidence of whoever reads the digit.
    """

    images: tf.Tensor
    boxes: tf.Tensor
    certainty: tf.Tensor


def find_digit(rgba: tf.Tensor) -> Digits:
    """Converts a picture of one digit to MNIST's format: bright ink on black, 28x28 pixels.

    A picture of 28x28 pixels is taken as it is, or inverted if its outermost pixels are brighter than 0.5 on average.
    In any other, `ink.find` finds the strokes. The heaviest one, with the smaller ones near it, is the digit. It is
    scaled to fit 20x20 pixels and placed with its centre of mass in the middle, as MNIST's authors did. Thin strokes
    are made bolder, and strokes that lean a lot more upright, since MNIST has few such digits.

    Args:
      rgba: uint8 [height, width, 4].

    Returns:
      One digit. Where nothing is written it is black, and its certainty 0.
    """
    rgba = tf.ensure_shape(rgba, [None, None, 4])
    as_it_is = tf.reduce_all(tf.shape(rgba)[:2] == SIZE)
    return Digits(*tf.cond(as_it_is, lambda: tuple(_as_it_is(rgba)), lambda: tuple(_heaviest(ink.find(rgba)))))


def find_digits(rgba: tf.Tensor) -> Digits:
    """Converts the digits on a page, in reading order: line by line, from left to right.

    Args:
      rgba: uint8 [height, width, 4].

    Returns:
      At most `MOST` digits, or none.
    """
    found = ink.find(tf.ensure_shape(rgba, [None, None, 4]))
    groups = _groups(found, _NEAR)
    heights, widths = tf.unstack(tf.cast(groups.boxes[:, 2:] - groups.boxes[:, :2] + 1, tf.float32), axis=1)
    heavy = groups.weight > 0
    tall = heights >= _SHORT * tf.reduce_max(tf.concat([tf.where(heavy, heights, 0.0), [0.0]], 0))
    chosen = tf.where(tf.reduce_all([heavy, tall, widths < _LONG * heights], axis=0))[:, 0]
    order = tf.gather(chosen, _reading_order(tf.gather(groups.boxes, chosen)))[:MOST]
    digits = _cut(found, groups, order, alone=False)
    sure = digits.certainty > _DOUBTFUL
    return Digits(*(tf.boolean_mask(values, sure) for values in digits))


class _Groups(NamedTuple):
    """Strokes that belong together, as one digit.

    Attributes:
      of_region: int32 [R], the group of each region of `Ink`, or -1.
      boxes, weight: int32 [G, 4] and float32 [G], as in `Ink`; a weight of 0 means that it is no digit.
      centre: as in `Ink`, without printed boxes.
    """

    of_region: tf.Tensor
    boxes: tf.Tensor
    weight: tf.Tensor
    centre: tf.Tensor


def _groups(found: ink.Ink, near: float) -> _Groups:
    """Joins small strokes with the digit beside them."""
    inside = tf.where(found.inside)[:, 0]
    # A digit that touches the picture's border is better than none.
    able = tf.cond(tf.size(inside) > 0, lambda: inside, lambda: tf.range(tf.size(found.weight, tf.int64)))
    count = tf.minimum(tf.size(able), _CANDIDATES)
    candidates = tf.gather(able, tf.math.top_k(tf.gather(found.weight, able), count).indices)
    boxes = tf.gather(found.boxes, candidates)
    first, last = boxes[:, :2], boxes[:, 2:]
    sizes = tf.cast(last - first + 1, tf.float32)
    high, long = sizes[:, 0], tf.reduce_max(sizes, 1)
    reach = tf.cast(tf.round(near * long), tf.int32)[:, tf.newaxis, tf.newaxis] + 1
    meets = tf.logical_and(
        first[tf.newaxis] <= last[:, tf.newaxis] + reach, last[tf.newaxis] >= first[:, tf.newaxis] - reach
    )
    is_part = tf.logical_and(tf.reduce_all(meets, 2), high[tf.newaxis] < _PART * high[:, tf.newaxis])
    common = tf.minimum(last[tf.newaxis], last[:, tf.newaxis]) - tf.maximum(first[tf.newaxis], first[:, tf.newaxis]) + 1
    shared = tf.reduce_prod(tf.cast(tf.maximum(common, 0), tf.float32), 2)
    weight = tf.gather(found.weight, candidates)
    is_box = _boxes(first, last, weight, tf.gather(found.cornered, candidates))
    is_part = tf.logical_and(is_part, weight[tf.newaxis] > _SLIGHT * weight[:, tf.newaxis])
    is_part = tf.logical_or(is_part, shared > _OVERLAP * tf.reduce_prod(sizes, 1))
    is_thin = long > _THIN * tf.reduce_min(sizes, 1)
    is_line = tf.logical_and(is_thin[tf.newaxis], long[tf.newaxis] > _LONGER * long[:, tf.newaxis])
    depth = weight / tf.gather(found.pixels, candidates)
    is_pale = depth[tf.newaxis] < _PALE * depth[:, tf.newaxis]
    no_part = tf.reduce_any([is_line, is_pale, tf.transpose(is_line), tf.broadcast_to(is_box, tf.shape(is_line))], 0)
    is_part = tf.logical_and(is_part, tf.logical_not(tf.logical_or(no_part, tf.transpose(no_part))))
    group, total = connected.components(tf.cast(tf.where(is_part), tf.int32), count)
    of_region = tf.tensor_scatter_nd_update(tf.fill(tf.shape(found.weight), -1), candidates[:, tf.newaxis], group)
    top = tf.math.unsorted_segment_min(first, group, total)
    bottom = tf.math.unsorted_segment_max(last, group, total)
    total_weight = tf.math.unsorted_segment_sum(tf.where(is_box, 0.0, weight), group, total)
    big = tf.reduce_max(bottom - top, 1) >= tf.cast(
        _TINY * tf.cast(tf.reduce_max(tf.shape(found.labels)), tf.float32), tf.int32
    )
    centre = found.centre - tf.reduce_sum(tf.where(is_box, weight, 0.0))
    return _Groups(of_region, tf.concat([top, bottom], 1), tf.where(big, total_weight, 0.0), centre)


def _boxes(first, last, weight, cornered):
    """Which regions are printed boxes around others; bool [N]."""
    surrounds = tf.reduce_all(
        tf.logical_and(first[tf.newaxis] > first[:, tf.newaxis], last[tf.newaxis] < last[:, tf.newaxis]), 2
    )
    holds = tf.reduce_any(tf.logical_and(surrounds, weight[tf.newaxis] > _IN_A_BOX * weight[:, tf.newaxis]), 1)
    return tf.logical_and(holds, cornered > _IN_A_CORNER)


def _heaviest(found: ink.Ink) -> Digits:
    groups = _groups(found, _NEAR_ALONE)
    best = tf.argmax(tf.concat([groups.weight, [0.0]], 0))
    written = tf.reduce_max(tf.concat([groups.weight, [0.0]], 0)) > 0

    def none():
        return tf.zeros([1, SIZE, SIZE, 1]), tf.zeros([1, 4]), tf.zeros([1])

    return Digits(*tf.cond(written, lambda: tuple(_cut(found, groups, best[tf.newaxis], alone=True)), none))


def _as_it_is(rgba: tf.Tensor) -> Digits:
    grey = tf.ensure_shape(to_grey(composite_on_white(rgba)), [SIZE, SIZE, 1])
    inner = grey[1:-1, 1:-1]
    ring = (tf.reduce_sum(grey) - tf.reduce_sum(inner)) / (SIZE**2 - (SIZE - 2) ** 2)
    digit = tf.clip_by_value(tf.where(ring > 0.5, 1.0 - grey, grey), 0.0, 1.0)
    written = tf.cast(tf.reduce_max(digit) - tf.reduce_min(digit) > 0.1, tf.float32)
    return Digits(digit[tf.newaxis], tf.constant([[0.0, 0.0, 1.0, 1.0]]), written[tf.newaxis])


def _cut(found: ink.Ink, groups: _Groups, chosen: tf.Tensor, alone: bool) -> Digits:
    """Cuts groups out; `alone`: whether there should be only one digit in the picture."""
    group_of_label = tf.concat([[-1], groups.of_region], 0)
    size = tf.shape(found.labels)

    def one(index):
        box = groups.boxes[index]
        around = (
            tf.cast(tf.round(_SURROUNDINGS * tf.cast(tf.reduce_max(box[2:] - box[:2] + 1), tf.float32)), tf.int32) + 1
        )
        first, end = tf.maximum(box[:2] - around, 0), tf.minimum(box[2:] + 1 + around, size)
        dark = found.darkness[first[0] : end[0], first[1] : end[1]]
        own = tf.gather(group_of_label, found.labels[first[0] : end[0], first[1] : end[1]]) == tf.cast(index, tf.int32)
        # The edges of strokes are fainter than the threshold, so the region is widened by them.
        strokes = dark * ink.widened(own)
        local = _share(tf.reduce_sum(strokes), tf.reduce_sum(tf.where(dark > ink.FAINTEST, dark, 0.0)), _LOCAL)
        own_weight = groups.weight[index]
        certainty = local
        if alone:
            overall = _share(own_weight, tf.maximum(own_weight, groups.centre), _OVERALL)
            certainty = tf.maximum(local * overall, _LEAST_CERTAINTY)
        full = tf.math.divide_no_nan(tf.reduce_sum(strokes**2), tf.reduce_sum(strokes))
        strokes = tf.clip_by_value(tf.math.divide_no_nan(strokes, full), 0.0, 1.0)
        inner, outer = box[:2] - first, box[2:] + 1 - first
        digit = _placed(strokes[inner[0] : outer[0], inner[1] : outer[1], tf.newaxis])
        edges = tf.cast(box + [0, 0, 1, 1], tf.float32) / tf.cast(tf.concat([size, size], 0), tf.float32)
        return digit, edges, certainty

    specs = [tf.TensorSpec(shape, tf.float32) for shape in ([SIZE, SIZE, 1], [4], [])]
    return Digits(*tf.map_fn(one, chosen, parallel_iterations=1, fn_output_signature=tuple(specs)))


def _share(part, whole, limits):
    """0 where a part is a share of the whole below the limits, 1 above, and between them in proportion."""
    low, high = limits
    return tf.clip_by_value((tf.math.divide_no_nan(part, whole) - low) / (high - low), 0.0, 1.0)


def _reading_order(boxes: tf.Tensor) -> tf.Tensor:
    """The order, int32 [G], in which boxes, int32 [G, 4], are read."""
    middles = tf.cast(boxes[:, 0] + boxes[:, 2], tf.float32) / 2
    heights = tf.sort(tf.cast(boxes[:, 2] - boxes[:, 0] + 1, tf.float32))
    typical = tf.reduce_sum(heights[tf.size(heights) // 2 :][:1])
    down = tf.argsort(middles)
    steps = tf.gather(middles, down)
    new_line = tf.cast(steps - tf.concat([steps[:1], steps[:-1]], 0) > _LINE * typical, tf.int32)
    line = tf.cumsum(new_line)
    left = tf.gather(boxes[:, 1], down)
    return tf.gather(down, tf.argsort(line * (tf.reduce_max(tf.concat([left, [0]], 0)) + 1) + left))


def _placed(strokes: tf.Tensor) -> tf.Tensor:
    """Scales strokes, float32 [h, w, 1], to MNIST's box and centres them by mass: float32 [28, 28, 1]."""
    strokes = _upright(strokes)
    size = tf.cast(tf.shape(strokes)[:2], tf.float32)
    size = tf.maximum(tf.cast(tf.round(size * (_INK_SIZE / tf.reduce_max(size))), tf.int32), 1)
    strokes = _full(tf.clip_by_value(tf.image.resize(strokes, size, antialias=True), 0.0, 1.0))
    shift = tf.cast(tf.round(SIZE / 2 - tf.stack(_middle(strokes))), tf.int32)
    before = tf.clip_by_value(shift, 0, SIZE - size)
    after = SIZE - before - size
    padded = tf.pad(strokes, tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0))
    return tf.ensure_shape(padded, [SIZE, SIZE, 1])


def _upright(strokes: tf.Tensor) -> tf.Tensor:
    """Shears strokes, float32 [h, w, 1], that lean by more than MNIST's usually do."""
    height, width = tf.unstack(tf.cast(tf.shape(strokes)[:2], tf.float32))
    y, x = _middle(strokes)
    down, right = (tf.range(height) + 0.5 - y)[:, tf.newaxis, tf.newaxis], (tf.range(width) + 0.5 - x)[:, tf.newaxis]
    slant = tf.math.divide_no_nan(tf.reduce_sum(strokes * down * right), tf.reduce_sum(strokes * down**2))
    excess = slant - tf.clip_by_value(slant, -_SLANT, _SLANT)

    def sheared():
        wider = tf.math.ceil(tf.abs(excess) * height)
        # From the wider picture's columns to those of the strokes.
        zero, one = tf.zeros([]), tf.ones([])
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=strokes[tf.newaxis],
            transforms=[[one, excess, -tf.maximum(excess, 0.0) * height, zero, one, zero, zero, zero]],
            output_shape=tf.cast(tf.stack([height, width + wider]), tf.int32),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )[0]
        inked = tf.where(tf.reduce_max(moved, [0, 2]) > 0.5)[:, 0]
        return moved[:, tf.reduce_min(inked) : tf.reduce_max(inked) + 1]

    return tf.cond(excess != 0, sheared, lambda: strokes)


def _full(strokes: tf.Tensor) -> tf.Tensor:
    """Darkens strokes, float32 [h, w, 1], that are thin and so became faint; MNIST's are about three pixels wide."""
    powers = tf.constant(_POWERS)
    ink = tf.reduce_sum(strokes**powers, [0, 1])
    enough = tf.argmax(tf.concat([ink[:-1] >= _LEAST_INK, [True]], 0))
    return strokes ** powers[enough]


def _middle(strokes: tf.Tensor) -> list[tf.Tensor]:
    """The centre of mass of [h, w, 1], down and to the right, in pixels from the corner."""
    total, size = tf.reduce_sum(strokes), tf.cast(tf.shape(strokes)[:2], tf.float32)
    sums = (tf.reduce_sum(strokes, [1 - axis, 2]) * (tf.range(size[axis]) + 0.5) for axis in (0, 1))
    return [tf.math.divide_no_nan(tf.reduce_sum(one), total) for one in sums]
