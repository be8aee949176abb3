"""Regions of masks are those that SciPy finds, in the same order."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tf2cases.data.pictures import connected

traced = tf.function(connected.label, input_signature=[tf.TensorSpec([None, None], tf.bool)])


def check(mask):
    labels, count = traced(mask)
    expected, expected_count = ndimage.label(mask, np.ones([3, 3]))
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.42, 0.6, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (17, 23), (90, 70)])
def test_random_masks_have_scipys_regions(shape, share):
    check(np.random.default_rng(0).random(shape) < share)


def test_a_spiral_is_one_region_however_long():
    mask = np.zeros([81, 81], bool)
    for ring in range(0, 40, 2):
        mask[ring, ring : 81 - ring] = mask[80 - ring, ring : 81 - ring] = True
        mask[ring : 81 - ring, ring] = mask[ring : 81 - ring, 80 - ring] = True
        mask[ring + 1, ring] = False  # the ring opens here,
        mask[ring + 2, ring + 1] = True  # and here it meets the next one
    check(mask)
    assert traced(mask)[1] == 1


def test_pixels_that_touch_by_a_corner_belong_together():
    assert traced(np.eye(5, dtype=bool))[1] == 1
    assert traced(np.eye(5, dtype=bool)[::-1])[1] == 1


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([[4, 0]], [0, 1, 2, 3, 0]),
        ([[3, 4], [1, 3]], [0, 1, 2, 1, 1]),
        ([[0, 1], [1, 2], [2, 3], [3, 4]], [0, 0, 0, 0, 0]),
        ([[2, 2]], [0, 1, 2, 3, 4]),
    ],
)
def test_components_are_numbered_by_their_first_nodes(edges, expected):
    found, count = connected.components(tf.reshape(tf.constant(edges, tf.int32), [-1, 2]), tf.constant(5))
    assert found.numpy().tolist() == expected
    assert count == max(expected) + 1
