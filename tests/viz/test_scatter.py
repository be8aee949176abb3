import numpy as np
import pytest

from tf2cases.viz import canvas, scatter_3d, scatter_classes, scatter_with_line


def _rgb(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _pixels_of(image, colour):
    return int((image == _rgb(colour)).all(axis=2).sum())


def _is_picture(image):
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image[0, 0].tolist() == [255, 255, 255]
    return image


@pytest.mark.parametrize("slope", [2.0, -2.0])
def test_the_line_goes_where_its_slope_says(slope):
    x = np.linspace(0, 10, 20)
    image = _is_picture(scatter_with_line(x, slope * x + 5, slope, 5.0, "x", "y", "T"))
    y, x = np.nonzero((image[90:] == _rgb(canvas.LINES[1])).all(axis=2))  # below the legend
    assert np.sign(np.corrcoef(x, y)[0, 1]) == -np.sign(slope)  # rows count downwards


def test_another_line_makes_another_picture():
    first = scatter_with_line([1, 2], [1, 2], 1.0, 0.0, "x", "y", "T")
    assert (first != scatter_with_line([1, 2], [1, 2], 1.0, 0.1, "x", "y", "T")).any()


def test_points_in_space_are_coloured_by_z():
    image = _is_picture(scatter_3d([1, 2, 3], [1, 2, 1], [10, 20, 30], ("x", "y", "z ($)"), "T"))
    # viridis runs from (68, 1, 84) to (253, 231, 37).
    assert (image == [68, 1, 84]).all(axis=2).any()
    assert (np.abs(image.astype(int) - [253, 231, 37]) <= 3).all(axis=2).any()


@pytest.mark.parametrize("slope", [6.0, -6.0])
def test_a_plane_is_drawn_over_the_points_and_not_seen_edge_on(slope):
    x, y = np.random.default_rng(0).uniform(0, 10, (2, 30))
    z = slope * x - y + 5
    image = _is_picture(scatter_3d(x, y, z, "xyz", "T", (slope, -1.0, 5.0)))
    is_orange = (image[..., 0] > 200) & (image[..., 2] < image[..., 0] - 20.0)
    assert is_orange.mean() > 0.05  # of the whole picture


def test_another_plane_makes_another_picture():
    points = [1, 2, 3], [1, 2, 1], [1, 2, 3]
    pictures = [scatter_3d(*points, "xyz", "T", plane) for plane in (None, (1, 0, 0), (1, 0.2, 0))]
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[1] != pictures[2]).any()


def test_a_class_keeps_its_colour_whichever_others_are_there():
    points = np.random.default_rng(0).normal(size=(30, 2))
    # Points are drawn with opacity, so the pure colour is in the legend only: a class there, and absent.
    third = scatter_classes(points, np.full(30, 2), "T", "x", "y", "abc")
    assert _pixels_of(third, canvas.CLASSES[2]) > 0
    assert _pixels_of(third, canvas.CLASSES[0]) == 0


def test_classes_may_be_called_anything_and_be_many():
    points = np.random.default_rng(0).normal(size=(62, 2))
    three = _is_picture(scatter_classes(points[:3], [0, 1, 2], "T", "x", "y", ["cat", "dog", "_$x$"]))
    # As many pixels of each in the legend, the one with an underscore and dollar signs included.
    assert len({_pixels_of(three, colour) for colour in canvas.CLASSES[:3]}) == 1
    assert _pixels_of(three, canvas.CLASSES[0]) > 20
    many = _is_picture(scatter_classes(points, np.arange(62), "T", "z1", "z2", range(62)))
    assert min(_pixels_of(many, colour) for colour in canvas.CLASSES) > 6 * 20  # each colour serves six classes or more


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: scatter_with_line([1], [1, 2], 1, 0, "", "", ""),
            r"shapes are x \[1\], y \[2\], but must all be \[N\]",
        ),
        (lambda: scatter_with_line([], [], 1, 0, "", "", ""), r"x \[0\], y \[0\], but must"),
        (lambda: scatter_3d([1], [1], [[1]], "xyz", ""), r"x \[1\], y \[1\], z \[1, 1\], but must"),
        (lambda: scatter_3d([1], [1], [1], "xy", ""), r"2 labels, but there must be 3"),
        (
            lambda: scatter_classes([1, 2], [0, 1], "", "", "", "ab"),
            r"points have the shape \[2\], but must be \[N, 2\]",
        ),
        (
            lambda: scatter_classes(np.zeros((0, 2)), [], "", "", "", "ab"),
            r"shape \[0, 2\], but must be \[N, 2\], N >= 1",
        ),
        (
            lambda: scatter_classes([[1, 2]], [0, 1], "", "", "", "ab"),
            r"labels have the shape \[2\], but must be \[1\]",
        ),
        (
            lambda: scatter_classes([[1, 2]], [3], "", "", "", "ab"),
            r"labels range from 3 to 3, but must be integers from 0 to 1",
        ),
        (lambda: scatter_classes([[1, 2]], ["a"], "", "", "", "ab"), r"labels range from a to a, but must be integers"),
    ],
)
def test_scatters_refuse_with_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
