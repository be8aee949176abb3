"""Curves, bars and confusion matrices."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import ArrayLike

from tf2cases.viz import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLITS = {"train": 0, "eval": 1}  # the index of the split's colour, the same in every chart


def curves(series: Mapping[str, tuple], title: str) -> np.ndarray:
    """A line for each series; those of 30 points or fewer have markers, and a single point has its value above it.

    Args:
      series: {name: (steps [n], values [n])}, n >= 1, in the order of the legend. Values that are not finite leave
        a gap.
      title: title of the chart.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: if there is no series, or one that is empty or has steps and values of different shapes.
    """
    figure = canvas.figure(6.4, 4.0)
    _draw_curves(figure.add_subplot(), series, title, width=6.4)
    return canvas.pixels(figure)


def training_curves(history: Sequence[Mapping], leave_out: Collection[str] = ()) -> np.ndarray:
    """One panel for each metric, with every split that reports it: loss first, accuracy next, then the others.

    Args:
      history: records as in `metrics.jsonl`: {"step": int, "split": "train" or "eval", "values": {name: float}}.
        Other keys are ignored, and a value of None counts as not finite.
      leave_out: names of metrics that get no panel.

    Returns:
      uint8 [H, W, 3]; up to three panels in a row.

    Raises:
      ValueError: if no record has a value to draw.
    """
    metrics: dict[str, dict[str, tuple[list, list]]] = {}  # {name: {split: (steps, values)}}
    for record in history:
        for name, value in record["values"].items():
            if name in leave_out:
                continue
            steps, values = metrics.setdefault(name, {}).setdefault(record["split"], ([], []))
            steps.append(record["step"])
            values.append(math.nan if value is None else float(value))
    if not metrics:
        raise ValueError("history holds no values, but must have at least one record with values.")
    first = [name for name in ("loss", "accuracy") if name in metrics]
    names = first + [name for name in metrics if name not in first]
    columns = min(len(names), 2 if len(names) == 4 else 3)
    rows = math.ceil(len(names) / columns)
    width = 6.4 if columns == 1 else 4.8
    figure = canvas.figure(width * columns, (4.0 if columns == 1 else 3.5) * rows)
    # More space between panels than within one.
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        splits = dict(sorted(metrics[name].items(), key=lambda item: _SPLITS.get(item[0], 2)))
        _draw_curves(axes, splits, name, width)
    return canvas.pixels(figure)


def _draw_curves(axes: "Axes", series: Mapping[str, tuple], title: str, width: float) -> None:
    if not series:
        raise ValueError("series is empty, but must hold at least one series.")
    free = itertools.count(len(_SPLITS) if set(series) & set(_SPLITS) else 0)
    handles = []
    for name, (steps, values) in series.items():
        steps, values = np.asarray(steps), np.asarray(values, np.float64)
        if steps.shape != values.shape or steps.ndim != 1 or not steps.size:
            raise ValueError(
                f"series {name!r} has steps {list(steps.shape)} and values {list(values.shape)}, "
                "but must have the same number of both, at least 1."
            )
        index = _SPLITS[name] if name in _SPLITS else next(free)
        colour, dash = canvas.LINES[index % len(canvas.LINES)], "-" if index < len(canvas.LINES) else "--"
        marker = canvas.MARKERS[index % len(canvas.MARKERS)] if len(steps) <= 30 else None
        only = np.flatnonzero(np.isfinite(values)) if np.isfinite(values).sum() == 1 else ()
        style = dict(color=colour, linestyle=dash, linewidth=1.6, marker=marker, markersize=8 if len(only) else 4)
        handles += axes.plot(steps, values, **style)
        for i in only:
            place = dict(xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9, color=colour)
            axes.annotate(f"{values[i]:.4g}", (steps[i], values[i]), **place)
    canvas.dress(axes, title, "step")
    canvas.readable_ticks(axes.xaxis, np.concatenate([np.asarray(s) for s, _ in series.values()]))
    # The legend is above the chart if title and names fit side by side (ten letters per inch), else beside it.
    letters = len(title) + sum(len(name) + 6 for name in series)
    if letters <= 10 * width:
        place = dict(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(series), columnspacing=1.2, borderaxespad=0.2)
    else:
        place = {}
    canvas.legend(axes, handles, series, handlelength=1.6, **place)


def bars(labels: Sequence, counts: ArrayLike, title: str, xlabel: str = "", ylabel: str = "") -> np.ndarray:
    """A bar for each label, with its number above it.

    Args:
      labels: K labels, written with `str`.
      counts: K numbers, finite, at least 0.
      title: title of the chart.
      xlabel: name of the x axis.
      ylabel: name of the y axis.

    Returns:
      uint8 [H, W, 3], wider for many labels.

    Raises:
      ValueError: if there is no bar, the numbers of labels and counts differ, or a count is below 0 or not finite.
    """
    labels, counts = [canvas.plain(label) for label in labels], np.asarray(counts)
    if counts.shape != (len(labels),) or not labels:
        raise ValueError(
            f"there are {len(labels)} labels and counts {list(counts.shape)}, "
            "but there must be one count for each label, and at least one label."
        )
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError(f"counts are {counts.tolist()}, but must be finite numbers of at least 0.")
    numbers = [f"{count:,.0f}" if count == int(count) or count >= 1000 else f"{count:.3g}" for count in counts.tolist()]
    width = max(6.4, 0.22 * len(labels) + 1)
    slot = (width - 1) / len(labels)  # inches
    upright = _inches(numbers, 9) > slot
    figure = canvas.figure(width, 4.0)
    axes = figure.add_subplot()
    places = np.arange(len(labels))
    axes.bar(places, counts, width=0.75, color=canvas.LINES[0])
    style = dict(ha="center", va="bottom", fontsize=9, color=canvas.INK, rotation=90 if upright else 0)
    for place, count, text in zip(places, counts.tolist(), numbers, strict=True):
        axes.annotate(text, (place, count), (0, 3), textcoords="offset points", **style)
    canvas.dress(axes, title, xlabel, ylabel, grid="y")
    axes.tick_params(axis="x", length=0)
    canvas.readable_ticks(axes.yaxis, counts)
    axes.set_xticks(places, labels, rotation=90 if _inches(labels, 9) > slot else 0)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    # Room for the numbers; all-zero counts still get an axis.
    axes.set_ylim(0, max(counts.max() * (1.22 if upright else 1.1), 1e-12) if counts.any() else 1)
    return canvas.pixels(figure)


def _inches(texts: Sequence[str], points: float) -> float:
    """The approximate length of the longest text, with a margin: letters are about 0.6 of the font size wide, Chinese
    ones all of it."""
    widths = (sum(1.0 if east_asian_width(letter) in "WF" else 0.6 for letter in text) for text in texts)
    return (max(widths) + 0.6) * points / 72


def confusion_matrix(counts: ArrayLike, class_names: Sequence, title: str) -> np.ndarray:
    """A confusion matrix: true against predicted classes.

    The colour shows a cell's share of its row (the examples of a true class), on a square-root scale so that rare
    mistakes remain visible next to the diagonal. For up to 20 classes, the counts are written into the cells.

    Args:
      counts: int [K, K], at least 0; row = true class, column = predicted class.
      class_names: K names, written with `str`.
      title: title of the chart.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: for a wrong shape or dtype, a wrong number of names, or counts below 0.
    """
    counts = np.asarray(counts)
    names = [canvas.plain(name) for name in class_names]
    k = len(counts) if counts.ndim else 0
    if counts.shape != (k, k) or not k or not np.issubdtype(counts.dtype, np.integer):
        raise ValueError(f"counts are {counts.dtype} {list(counts.shape)}, but must be integers [K, K], K >= 1.")
    if len(names) != k:
        raise ValueError(f"there are {len(names)} class names, but there must be {k}, one for each row.")
    if (counts < 0).any():
        raise ValueError(f"counts hold {counts.min()}, but must be at least 0.")
    from matplotlib.colors import PowerNorm

    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = min(max(9.0 / k, 0.15), 0.55)  # inches
    longest = _inches(names, 9)
    side = max(k * cell, 2.5) + longest
    figure = canvas.figure(side + 1.6, side + 0.9)
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    canvas.dress(axes, title, "predicted", "true", grid=None)
    small = min(9, cell * 72 * 0.7)
    axes.set_xticks(range(k), names, fontsize=small, rotation=90 if longest > cell else 0)
    axes.set_yticks(range(k), names, fontsize=small)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    # White lines between the cells.
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(True, which="minor", color="#EEEEEE", linewidth=0.8 if k <= 20 else 0.3)
    axes.tick_params(which="minor", length=0)
    if k <= 20:
        _write_counts(axes, counts, share, cell)
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1], shrink=0.7, aspect=25, pad=0.02)
    bar.ax.set_yticklabels(["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    bar.ax.tick_params(labelsize=8.5, colors=canvas.INK, length=3)
    bar.set_label("share of the row", fontsize=9, color=canvas.INK)
    bar.outline.set_visible(False)
    return canvas.pixels(figure)


def _write_counts(axes: "Axes", counts: np.ndarray, share: np.ndarray, cell: float) -> None:
    """Writes the counts of a confusion matrix into its cells, which are `cell` inches wide."""
    digits = len(f"{counts.max():,}")
    size = min(9, cell * 72 / (0.6 * digits + 0.6))
    for row, column in np.ndindex(*counts.shape):
        count = counts[row, column]
        dark = share[row, column] > 0.3
        colour = "white" if dark else canvas.INK if count else "#BBBBBB"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=size, color=colour)
