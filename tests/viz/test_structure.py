"""The picture of a network's structure."""

import numpy as np
import pytest

from tf2cases import viz

LAYERS = [("conv", (None, 8, 8, 4), 40), ("pool", (None, 4, 4, 4), 0), ("heads", (None, 10), 650)]
FILLED = (0xDB, 0xE9, 0xF6)  # a layer with parameters
PLAIN = (0xF0, 0xF0, 0xF0)


def boxes(image, colour):
    """How many separate boxes of a colour lie along the vertical line just inside the left edge of the boxes."""
    column = np.all(image[:, int(0.3 * 110)] == colour, axis=-1)
    return int(np.sum(column[1:] & ~column[:-1]))


def test_a_box_for_the_input_and_each_layer_coloured_by_whether_it_has_parameters():
    image = viz.structure(LAYERS, (8, 8, 1))
    assert image.dtype == np.uint8
    assert boxes(image, FILLED) == 2
    assert boxes(image, PLAIN) == 2


def test_many_layers_go_on_in_further_columns():
    few, many = viz.structure(LAYERS, (8, 8, 1)), viz.structure(LAYERS * 6, (8, 8, 1))
    assert many.shape[1] > 2 * few.shape[1]
    assert many.shape[0] < 3 * few.shape[0]


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match=r"layers is empty, but must hold at least one layer"):
        viz.structure([], (8, 8, 1))
