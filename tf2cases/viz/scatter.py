"""Scatter plots: with a line, in 3-D, and by class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tf2cases.viz import canvas

_ELEVATION = 22  # degrees from which 3-D charts are seen


def _same_length(**arrays: ArrayLike) -> list[np.ndarray]:
    """Checks the arrays and returns them as float64 [N], N >= 1."""
    made = [np.asarray(values, np.float64) for values in arrays.values()]
    if len({a.shape for a in made}) > 1 or made[0].ndim != 1 or not made[0].size:
        shapes = ", ".join(f"{name} {list(a.shape)}" for name, a in zip(arrays, made, strict=True))
        raise ValueError(f"the shapes are {shapes}, but must all be [N] with the same N >= 1.")
    return made


def scatter_with_line(
    x: ArrayLike, y: ArrayLike, slope: float, intercept: float, xlabel: str, ylabel: str, title: str
) -> np.ndarray:
    """Points, and the line y = slope * x + intercept over their range.

    Args:
      x: numbers [N], N >= 1.
      y: numbers [N].
      slope: slope of the line, in units of y per unit of x.
      intercept: value of the line at x = 0.
      xlabel: name of the x axis.
      ylabel: name of the y axis.
      title: title of the chart.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: if x and y differ in length or are empty.
    """
    x, y = _same_length(x=x, y=y)
    figure = canvas.figure(6.4, 4.4)
    axes = figure.add_subplot()
    axes.scatter(x, y, s=26, color=canvas.LINES[0], alpha=0.75, linewidths=0)
    ends = np.array([x.min(), x.max()])
    sign = "-" if intercept < 0 else "+"
    name = f"y = {_number(slope)} x {sign} {_number(abs(intercept))}"
    axes.plot(ends, slope * ends + intercept, color=canvas.LINES[1], linewidth=2, label=name)
    canvas.dress(axes, title, xlabel, ylabel)
    canvas.readable_ticks(axes.xaxis, x)
    canvas.readable_ticks(axes.yaxis, y)
    # A rising line leaves the upper left corner free, a falling line the upper right one.
    corner = "upper left" if slope >= 0 else "upper right"
    axes.legend(loc=corner, fontsize=9, labelcolor=canvas.INK, edgecolor="none", framealpha=0.8)
    return canvas.pixels(figure)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def scatter_3d(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    labels: Sequence[str],
    title: str,
    plane: tuple[float, float, float] | None = None,
) -> np.ndarray:
    """Points in 3-D, coloured by z, and optionally a plane over their range, seen from the side that shows more of it.

    Args:
      x: numbers [N], N >= 1.
      y: numbers [N].
      z: numbers [N].
      labels: names of the three axes.
      title: title of the chart.
      plane: (a, b, c) of the plane z = a * x + b * y + c, or None.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: if x, y and z differ in length or are empty, or there are not three labels.
    """
    x, y, z = _same_length(x=x, y=y, z=z)
    if len(labels) != 3:
        raise ValueError(f"there are {len(labels)} labels, but there must be 3: for x, y and z.")
    figure = canvas.figure(6.4, 5.0, layout=None)
    axes = figure.add_axes((0.0, 0.02, 0.93, 0.94), projection="3d")
    axes.scatter(x, y, z, c=z, cmap="viridis", s=30, depthshade=False, linewidths=0)
    azimuth = -58
    if plane is not None:
        grid_x, grid_y = np.meshgrid(np.linspace(x.min(), x.max(), 11), np.linspace(y.min(), y.max(), 11))
        grid_z = plane[0] * grid_x + plane[1] * grid_y + plane[2]
        axes.plot_surface(grid_x, grid_y, grid_z, color=canvas.LINES[1], alpha=0.2, linewidth=0, shade=False)
        axes.plot_wireframe(grid_x, grid_y, grid_z, color=canvas.LINES[1], linewidth=0.6, alpha=0.7)
        # The plane's normal, if each axis spans its data; a plane at a right angle to it would be seen edge-on.
        normal = np.array([-plane[0] * np.ptp(x) / 4, -plane[1] * np.ptp(y) / 4, np.ptp(z) / 3])
        azimuth = max((-58, -122), key=lambda angle: abs(normal @ _towards_viewer(angle)))
    if azimuth == -122:  # the z axis is then on the left
        axes.set_position((0.07, 0.02, 0.93, 0.94))
    figure.text(0.03, 0.95, canvas.plain(title), fontsize=11, color=canvas.INK, va="center")
    for axis, values, label in zip((axes.xaxis, axes.yaxis, axes.zaxis), (x, y, z), labels, strict=True):
        canvas.readable_ticks(axis, values)
        axis.set_label_text(canvas.plain(label), fontsize=9.5, color=canvas.INK)
        axis.set_pane_color("#F7F7F7")
        axis.set_tick_params(labelsize=8.5, colors=canvas.INK)
    axes.zaxis.labelpad = 12
    axes.xaxis.labelpad = axes.yaxis.labelpad = 6
    axes.zaxis.set_tick_params(pad=6)
    axes.set_box_aspect((4, 4, 3), zoom=1.08)
    axes.view_init(elev=_ELEVATION, azim=azimuth)
    return canvas.pixels(figure)


def _towards_viewer(azimuth: float) -> np.ndarray:
    """The unit vector from the middle of the axes to the viewer; degrees."""
    up, around = np.radians([_ELEVATION, azimuth])
    return np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])


def scatter_classes(
    points: ArrayLike, labels: ArrayLike, title: str, xlabel: str, ylabel: str, class_names: Sequence
) -> np.ndarray:
    """Points in the plane, with a colour and a marker per class, and its name at the median of its points.

    Args:
      points: numbers [N, 2], N >= 1.
      labels: classes [N], integers in [0, K).
      title: title of the chart.
      xlabel: name of the x axis.
      ylabel: name of the y axis.
      class_names: K names; the colour of a class does not depend on which others are present.

    Returns:
      uint8 [H, W, 3].

    Raises:
      ValueError: for a wrong shape, a wrong number of labels, or a label without a name.
    """
    points, labels = np.asarray(points, np.float64), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points have the shape {list(points.shape)}, but must be [N, 2], N >= 1.")
    if labels.shape != points.shape[:1]:
        raise ValueError(
            f"labels have the shape {list(labels.shape)}, but must be [{len(points)}], one for each point."
        )
    present = np.unique(labels).tolist()
    if labels.dtype.kind not in "iu" or present[0] < 0 or present[-1] >= len(class_names):
        raise ValueError(
            f"labels range from {present[0]} to {present[-1]}, but must be integers from 0 to "
            f"{len(class_names) - 1}, the indices of the class names."
        )
    from matplotlib.patheffects import withStroke

    figure = canvas.figure(6.8, 5.6)
    axes = figure.add_subplot()
    dots = dict(s=float(np.clip(4000 / len(points), 5, 26)), alpha=0.7, linewidths=0)
    handles = []
    for i in present:
        colour = canvas.CLASSES[i % len(canvas.CLASSES)]
        marker = canvas.MARKERS[i // len(canvas.CLASSES) % len(canvas.MARKERS)]
        handles.append(axes.scatter(*points[labels == i].T, color=colour, marker=marker, **dots))
    halo = withStroke(linewidth=4, foreground="white")
    style = dict(ha="center", va="center", fontsize=11, fontweight="bold", color=canvas.INK, path_effects=[halo])
    for i in present:
        axes.annotate(canvas.plain(class_names[i]), np.median(points[labels == i], axis=0), **style)
    canvas.dress(axes, title, xlabel, ylabel)
    canvas.readable_ticks(axes.xaxis, points[:, 0])
    canvas.readable_ticks(axes.yaxis, points[:, 1])
    names = [class_names[i] for i in present]
    legend = canvas.legend(axes, handles, names, ncols=-(-len(names) // 22), handletextpad=0.2)
    for handle in legend.legend_handles:
        handle.set_sizes([30])
        handle.set_alpha(1)
    return canvas.pixels(figure)
