"""Draws a network as a chain of boxes, one per layer."""

import itertools
from collections.abc import Sequence

import numpy as np

from tf2cases.viz import canvas

_ROWS = 8  # boxes in a column
_FILL = {True: "#dbe9f6", False: "#f0f0f0"}  # with parameters, without


def structure(layers: Sequence[tuple], input_shape: Sequence[int]) -> np.ndarray:
    """Boxes from the input to the last layer, column by column, each with its output shape.

    Args:
      layers: (name, output shape, parameters) of each layer, as returned by `nn.summary_rows`; the batch size, first
        in a shape, is not shown.
      input_shape: shape of one example.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: there is no layer.
    """
    if not layers:
        raise ValueError("layers is empty, but must hold at least one layer.")
    from matplotlib.patches import FancyBboxPatch

    boxes = [("input", tuple(input_shape), 0)] + [(name, tuple(shape[1:]), count) for name, shape, count in layers]
    columns = -(-len(boxes) // _ROWS)
    rows = -(-len(boxes) // columns)
    figure = canvas.figure(2.6 * columns + 0.2, 0.72 * rows + 0.2, layout=None)
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set(xlim=(0, 2.6 * columns + 0.2), ylim=(-0.72 * rows - 0.1, 0.1))
    axes.set_axis_off()
    places = [(0.2 + 2.6 * (i // rows), -0.72 * (i % rows)) for i in range(len(boxes))]
    edge = {"boxstyle": "round,pad=0.05", "edgecolor": "#8a99a8", "linewidth": 0.8}
    for (name, shape, count), (x, y) in zip(boxes, places, strict=True):
        axes.add_patch(FancyBboxPatch((x + 0.05, y - 0.47), 2.1, 0.42, facecolor=_FILL[count > 0], **edge))
        axes.text(x + 1.1, y - 0.17, canvas.plain(name), ha="center", va="center", fontsize=9.5, weight="bold")
        text = " x ".join(map(str, shape)) + (f"   {count:,} parameters" if count else "")
        axes.text(x + 1.1, y - 0.37, text, ha="center", va="center", fontsize=8, color=canvas.INK)
    arrow = dict(arrowstyle="-|>", color=canvas.INK, linewidth=1, shrinkA=0, shrinkB=0)
    for (x, y), (next_x, next_y) in itertools.pairwise(places):
        if next_x == x:
            axes.annotate("", (x + 1.1, next_y), (x + 1.1, y - 0.52), arrowprops=arrow)
        else:
            bend = dict(arrow, connectionstyle="arc,angleA=0,angleB=180,armA=14,armB=14,rad=4")
            axes.annotate("", (next_x, next_y - 0.26), (x + 2.2, y - 0.26), arrowprops=bend)
    return canvas.pixels(figure)
