import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf2cases.viz import bars, canvas, confusion_matrix, curves, training_curves

ROOT = Path(__file__).resolve().parents[2]


def _is_picture(image):
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image.min() < 100  # something is drawn
    return image


def _pixels_of(image, colour):
    """How many pixels have this colour, given as #RRGGBB, exactly."""
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((image == rgb).all(axis=2).sum())


def _record(step, split, **values):
    return {"step": step, "split": split, "values": values, "seconds": 0.5}


HISTORY = [
    _record(10, "train", accuracy=0.5, loss=2.0),
    _record(20, "train", accuracy=0.7, loss=1.0),
    _record(20, "eval", loss=1.2, accuracy=0.6),
]


def test_curves_show_each_series():
    image = _is_picture(curves({"a": ([1, 2], [3, 4]), "b": ([1, 2], [4, 3])}, "T"))
    assert image.shape == (440, 704, 3)
    assert _pixels_of(image, canvas.LINES[0]) > 50
    assert _pixels_of(image, canvas.LINES[1]) > 50
    assert _pixels_of(image, canvas.LINES[2]) == 0


def test_curves_go_up_where_the_values_do():
    image = curves({"a": (range(100), range(100))}, "T")
    blue = [int(canvas.LINES[0][i : i + 2], 16) for i in (1, 3, 5)]
    y, x = np.nonzero((image[60:] == blue).all(axis=2))  # below the legend
    assert np.corrcoef(x, y)[0, 1] < -0.99  # rows count downwards


def test_a_single_point_is_large_and_has_its_value_above_it():
    blue = [int(canvas.LINES[0][i : i + 2], 16) for i in (1, 3, 5)]

    def rows_of(values):
        """For each row of pixels below the legend, how many are blue."""
        return (curves({"a": (range(1, len(values) + 1), values)}, "T")[60:] == blue).all(axis=2).sum(axis=1)

    one, other = rows_of([0.25]), rows_of([0.75])
    middle = int(one.argmax())  # the point is a disc in the middle
    assert one[middle] >= 10
    assert one[middle - 30 : middle - 8].sum() > 5
    assert one[middle + 8 :].sum() == 0
    np.testing.assert_array_equal(one[middle - 5 :], other[middle - 5 :])
    assert (one[: middle - 8] != other[: middle - 8]).any()  # only the number differs
    assert rows_of([np.nan, 0.25, np.nan]).max() >= 10


def test_curves_leave_a_gap_where_a_value_is_not_finite():
    steps = np.arange(100)
    values = np.ones(100)
    holed = np.where((steps > 20) & (steps < 80), np.nan, values)
    whole = _pixels_of(curves({"a": (steps, values)}, "T"), canvas.LINES[0])
    assert 0 < _pixels_of(curves({"a": (steps, holed)}, "T"), canvas.LINES[0]) < 0.6 * whole


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({}, r"series is empty, but must hold at least one"),
        ({"a": ([], [])}, r"series 'a' has steps \[0\] and values \[0\], but must"),
        ({"a": ([1], [1, 2])}, r"series 'a' has steps \[1\] and values \[2\], but must"),
    ],
)
def test_curves_refuse_with_a_sentence(series, message):
    with pytest.raises(ValueError, match=message):
        curves(series, "T")


def test_training_curves_make_a_panel_for_each_metric():
    one = _is_picture(training_curves([_record(1, "train", loss=1.0)]))
    two = _is_picture(training_curves(HISTORY))
    five = _is_picture(training_curves([_record(1, "train", loss=1.0, accuracy=0.1, a=1, b=2, c=3)]))
    assert one.shape == (440, 704, 3)
    assert two.shape == (385, 2 * 528, 3)
    assert five.shape == pytest.approx((2 * 385, 3 * 528, 3), abs=1)  # some versions of matplotlib round down


def test_training_curves_put_loss_first_and_accuracy_next():
    values = {"accuracy": 0.5, "kl": 3.0, "loss": 1.0}
    drawn = training_curves([_record(1, "train", **values)])
    in_order = training_curves([_record(1, "train", **{name: values[name] for name in ("loss", "accuracy", "kl")})])
    np.testing.assert_array_equal(drawn, in_order)


def test_training_curves_give_each_split_its_own_colour_in_any_order():
    image = training_curves(HISTORY)
    assert _pixels_of(image, canvas.LINES[0]) > 50
    assert _pixels_of(image, canvas.LINES[1]) > 20
    np.testing.assert_array_equal(image, training_curves([HISTORY[2], HISTORY[0], HISTORY[1]]))
    only_eval = training_curves([_record(1, "eval", loss=1.0), _record(2, "eval", loss=2.0)])
    assert _pixels_of(only_eval, canvas.LINES[0]) == 0
    assert _pixels_of(only_eval, canvas.LINES[1]) > 50


def test_training_curves_take_a_missing_number():
    image = _is_picture(training_curves([_record(1, "train", loss=None), _record(2, "train", loss=1.0)]))
    whole = training_curves([_record(1, "train", loss=3.0), _record(2, "train", loss=1.0)])
    assert 0 < _pixels_of(image, canvas.LINES[0]) < _pixels_of(whole, canvas.LINES[0]) / 3  # a large point and no line


@pytest.mark.parametrize("history", [[], [_record(1, "train")]])
def test_training_curves_refuse_an_empty_history(history):
    with pytest.raises(ValueError, match=r"history holds no values, but must have at least one"):
        training_curves(history)


def test_bars_differ_for_different_counts_and_not_for_equal_ones():
    image = _is_picture(bars("abc", [1, 2, 3], "T"))
    np.testing.assert_array_equal(image, bars("abc", np.array([1, 2, 3]), "T"))
    assert (image != bars("abc", [1, 3, 2], "T")).any()


def test_bars_are_as_high_as_their_counts():
    image = bars("abcd", [100, 50, 25, 0], "T")
    blue = [int(canvas.LINES[0][i : i + 2], 16) for i in (1, 3, 5)]
    heights = (image == blue).all(axis=2).sum(axis=0)
    heights = sorted({h for h in heights.tolist() if h}, reverse=True)
    # Three heights, each half of the one before; edges that fall within a pixel may make a neighbour of each.
    full = heights[0]
    for height in heights:
        assert min(abs(height - full * share) for share in (1, 0.5, 0.25)) <= 3
    assert any(abs(h - full / 2) <= 3 for h in heights)
    assert any(abs(h - full / 4) <= 3 for h in heights)


def test_many_bars_make_a_wider_picture():
    assert bars(range(62), range(62), "T").shape[1] > bars(range(10), range(10), "T").shape[1]


def test_bars_take_zeros_and_fractions():
    assert _pixels_of(_is_picture(bars("ab", [0, 0], "T")), canvas.LINES[0]) == 0
    one = _pixels_of(_is_picture(bars("ab", [0.125, 2.5e6], "T")), canvas.LINES[0])  # the other is too low to be seen
    both = _pixels_of(bars("ab", [2.5e6, 2.5e6], "T"), canvas.LINES[0])
    assert 0.4 * both < one < 0.6 * both


@pytest.mark.parametrize(
    ("labels", "counts", "message"),
    [
        ("abc", [1, 2], r"3 labels and counts \[2\], but there must be one count for each label"),
        ("", [], r"0 labels and counts \[0\], but there must"),
        ("ab", [1, -2], r"counts are \[1, -2\], but must be finite numbers of at least 0"),
        ("ab", [1, np.inf], r"counts are \[1.0, inf\], but must be finite"),
    ],
)
def test_bars_refuse_with_a_sentence(labels, counts, message):
    with pytest.raises(ValueError, match=message):
        bars(labels, counts, "T")


def test_confusion_matrix_has_truth_in_rows():
    counts = np.array([[5, 5, 0], [0, 10, 0], [0, 0, 10]])
    image = _is_picture(confusion_matrix(counts, "abc", "T"))
    assert (image != confusion_matrix(counts.T, "abc", "T")).any()
    # Blues' last colour is (8, 48, 107): the cells of share 1, which are the second and third of the diagonal.
    y, x = np.nonzero((image == [8, 48, 107]).all(axis=2))
    cell = x < image.shape[1] * 0.75  # the colour bar lies further right
    y, x = y[cell], x[cell]
    assert np.corrcoef(x, y)[0, 1] > 0.5
    assert np.median(y) > image.shape[0] / 3


def test_confusion_matrix_colours_by_share_of_the_row_and_not_by_count():
    small = confusion_matrix(np.diag([1, 1]), "ab", "T")
    large = confusion_matrix(np.diag([1, 900]), "ab", "T")
    full = [8, 48, 107]
    few, many = ((i == full).all(axis=2).sum() for i in (small, large))
    assert abs(int(few) - int(many)) < 0.05 * few  # but for the numbers in the cells


def test_confusion_matrix_writes_numbers_up_to_20_classes_and_stays_within_bounds():
    rng = np.random.default_rng(0)
    for k in (1, 20, 62):
        counts = rng.integers(0, 50, (k, k))
        image = _is_picture(confusion_matrix(counts, range(k), "T"))
        assert max(image.shape) < 1500
        white_inside = (image[:, : image.shape[1] // 2] == 255).all(axis=2).mean()
        assert white_inside < 0.9


def test_confusion_matrix_takes_a_class_without_examples():
    image = _is_picture(confusion_matrix(np.array([[0, 0], [1, 2]]), ["a", "b"], "T"))
    # Blues' first colour is (247, 251, 255): both cells of the empty row, as large as those of shares 1/3 and 2/3.
    empty, third = ((image == colour).all(axis=2).sum() for colour in ([247, 251, 255], [81, 156, 204]))
    assert 1.8 * third < empty < 2.2 * third


@pytest.mark.parametrize(
    ("counts", "names", "message"),
    [
        (np.zeros((2, 3), int), "ab", r"counts are int64 \[2, 3\], but must be integers \[K, K\]"),
        (np.zeros((0, 0), int), "", r"counts are int64 \[0, 0\], but must"),
        (np.zeros((2, 2)), "ab", r"counts are float64 \[2, 2\], but must be integers"),
        (np.zeros((2, 2), int), "abc", r"3 class names, but there must be 2"),
        (np.array([[1, -4], [0, 0]]), "ab", r"counts hold -4, but must be at least 0"),
    ],
)
def test_confusion_matrix_refuses_with_a_sentence(counts, names, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(counts, names, "T")


def test_a_name_with_an_underscore_in_front_is_in_the_legend():
    legend = [curves({name: ([1], [1])}, "T") for name in ("_a", "_bcd")]
    assert (legend[0] != legend[1]).any()


def test_text_between_dollar_signs_is_no_formula():
    curves({"$\\a$": ([1], [1])}, "$\\b$")  # each would raise as a formula
    bars(["$\\a$"], [1], "$\\b$")


# In a process of its own: other tests may well import pyplot.
_PROGRAM = """
import sys
from tf2cases import viz
assert not {"matplotlib", "imageio", "PIL", "tensorflow"} & set(sys.modules), "imported too early"
import matplotlib
settings = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}  # asking resolves it
before = settings()
viz.bars("ab", [1, 2], "T")
viz.scatter_3d([1, 2], [1, 2], [1, 2], "xyz", "T")
viz.labelled([[[[0.5]]]], "a")
assert "matplotlib.pyplot" not in sys.modules, "pyplot is imported"
assert "matplotlib._pylab_helpers" not in sys.modules or not sys.modules["matplotlib._pylab_helpers"].Gcf.figs
assert settings() == before, "rcParams changed"
"""


def test_nothing_is_imported_before_the_first_drawing_and_no_global_state_is_touched():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
