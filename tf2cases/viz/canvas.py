"""What every chart shares: a figure of its own, its colours, its axes, its pixels.

Matplotlib is imported by the first drawing, since that takes half a second that most programs never need. pyplot is
not used: it keeps global state, and figures in it live until they are closed.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

DPI = 110
INK = "#222222"
FAINT = "#DDDDDD"
ALARM = "#C40000"

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color), told apart with any kind of colour vision; its yellow is
# left out, too faint for a line on white.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Paul Tol's "muted" scheme (https://sronpersonalpages.nl/~pault) and a dark grey: ten classes on white.
CLASSES = ("#332288", "#CC6677", "#117733", "#88CCEE", "#DDAA33", "#882255", "#44AA99", "#999933", "#AA4499", "#555555")
MARKERS = "os^DvP*X"


def figure(width: float, height: float, dpi: int = DPI, layout: str | None = "constrained") -> "Figure":
    """A white matplotlib figure of `width` x `height` inches that belongs to nobody else."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout=layout)
    if layout == "constrained":
        made.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    FigureCanvasAgg(made)
    return made


def pixels(drawn: "Figure") -> np.ndarray:
    """Renders a figure to uint8 [H, W, 3]."""
    drawn.canvas.draw()
    return np.array(drawn.canvas.buffer_rgba())[..., :3]


def plain(text: object) -> str:
    """The text as it is, where matplotlib would take what stands between two dollar signs for a formula."""
    return str(text).replace("$", r"\$")


def dress(axes: "Axes", title: str = "", xlabel: str = "", ylabel: str = "", grid: str | None = "both") -> None:
    """Title at the left, names of the axes, a light grid behind the data, no box around it."""
    axes.set_title(plain(title), loc="left", fontsize=11, color=INK)
    axes.set_xlabel(plain(xlabel), fontsize=9.5, color=INK)
    axes.set_ylabel(plain(ylabel), fontsize=9.5, color=INK)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=FAINT, linewidth=0.7)


def legend(axes: "Axes", handles: Sequence, names: Iterable, **options: Any) -> "Legend":
    """Names what is drawn, beside the chart unless `options` place it elsewhere: never on data."""
    style = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "frameon": False, "fontsize": 9, "labelcolor": INK}
    return axes.legend(handles, [plain(name) for name in names], **style | options)


def readable_ticks(axis: "Axis", values: ArrayLike) -> None:
    """Few ticks; whole numbers for whole values; thousands apart: 20,000."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    whole = bool(np.all(numbers == np.rint(numbers)))
    axis.set_major_locator(MaxNLocator(nbins=6, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    if numbers.size and 1000 <= np.abs(numbers).max() < 1e9 and np.ptp(numbers) > 10:
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
