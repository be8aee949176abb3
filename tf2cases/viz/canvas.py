"""Code shared by all charts: figures, colours, axes and rendering.

Matplotlib is imported when the first chart is drawn, since the import takes half a second and most programs draw none.
pyplot is not used: it keeps global state, including all figures until they are closed.
"""

import functools
import sys
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

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color), distinguishable with any kind of colour vision, without
# yellow, which is too faint for a line on white.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Paul Tol's "muted" scheme (https://sronpersonalpages.nl/~pault) with a stronger sand, and a dark grey: ten classes on
# white.
CLASSES = ("#332288", "#CC6677", "#117733", "#88CCEE", "#DDAA33", "#882255", "#44AA99", "#999933", "#AA4499", "#555555")
MARKERS = "os^DvP*X"


def figure(width: float, height: float, dpi: int = DPI, layout: str | None = "constrained") -> "Figure":
    """Creates a new white matplotlib figure of `width` x `height` inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout=layout)
    if layout == "constrained":
        made.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    FigureCanvasAgg(made)
    return made


def pixels(drawn: "Figure") -> np.ndarray:
    """Renders a figure to uint8 [H, W, 3]."""
    find_fonts(drawn)
    drawn.canvas.draw()
    return np.array(drawn.canvas.buffer_rgba())[..., :3]


def find_fonts(drawn: "Figure") -> None:
    """Gives the texts of a figure fonts with all their characters, such as Chinese names, as word clouds find them.

    To be called before texts are measured. If no font has some characters, one line on standard error says so.
    """
    from matplotlib import font_manager
    from matplotlib.text import Text

    for axes in drawn.axes:
        for axis in (axes.xaxis, axes.yaxis, getattr(axes, "zaxis", axes.xaxis)):
            axis.get_ticklabels()  # sets their texts
    texts = [text for text in drawn.findobj(Text) if not text.get_text().isascii()]
    characters = frozenset("".join(text.get_text() for text in texts))
    usual = font_manager.findfont(font_manager.FontProperties())
    families = [font_manager.FontProperties().get_name(), *_families(characters, usual)]
    if len(families) > 1:
        for text in texts:
            text.set_fontfamily(families)


@functools.cache
def _families(characters: frozenset[str], usual: str) -> list[str]:
    """Names of further fonts for the characters that a font lacks."""
    from matplotlib import font_manager

    from tf2cases.wordcloud import fonts

    paths, advice = fonts.fallbacks(characters, usual) if characters else ([], "")
    if advice:
        print(f"Charts have boxes in place of some characters, since {advice}", file=sys.stderr)
    for path in paths:
        font_manager.fontManager.addfont(path)
    return [font_manager.FontProperties(fname=path).get_name() for path in paths]


def plain(text: object) -> str:
    """Escapes dollar signs, since matplotlib would parse text between two of them as a formula."""
    return str(text).replace("$", r"\$")


def dress(axes: "Axes", title: str = "", xlabel: str = "", ylabel: str = "", grid: str | None = "both") -> None:
    """Sets a left-aligned title, axis labels and a light grid behind the data, and removes the box."""
    axes.set_title(plain(title), loc="left", fontsize=11, color=INK)
    axes.set_xlabel(plain(xlabel), fontsize=9.5, color=INK)
    axes.set_ylabel(plain(ylabel), fontsize=9.5, color=INK)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=FAINT, linewidth=0.7)


def legend(axes: "Axes", handles: Sequence, names: Iterable, **options: Any) -> "Legend":
    """Adds a legend, beside the chart unless `options` place it elsewhere, so that it never covers data."""
    style = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "frameon": False, "fontsize": 9, "labelcolor": INK}
    return axes.legend(handles, [plain(name) for name in names], **style | options)


def readable_ticks(axis: "Axis", values: ArrayLike) -> None:
    """Sets few ticks: integers for integer values, with thousands separators (20,000)."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    whole = bool(np.all(numbers == np.rint(numbers)))
    axis.set_major_locator(MaxNLocator(nbins=6, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    if numbers.size and 1000 <= np.abs(numbers).max() < 1e9 and np.ptp(numbers) > 10:
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
