"""Draws arrays as grids and charts, and writes them as picture files."""

from tf2cases.viz.charts import bars, confusion_matrix, curves, training_curves
from tf2cases.viz.files import read_png, write_gif, write_picture, write_png
from tf2cases.viz.grid import labelled, montage, to_uint8
from tf2cases.viz.scatter import scatter_3d, scatter_classes, scatter_with_line
from tf2cases.viz.structure import structure

__all__ = [
    "bars",
    "confusion_matrix",
    "curves",
    "labelled",
    "montage",
    "read_png",
    "scatter_3d",
    "scatter_classes",
    "scatter_with_line",
    "structure",
    "to_uint8",
    "training_curves",
    "write_gif",
    "write_picture",
    "write_png",
]
