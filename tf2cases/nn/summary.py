"""A table of layers, output shapes and parameter counts."""

from collections.abc import Iterable, Sequence

import tensorflow as tf

from tf2cases.nn.layers.base import Layer, Shape
from tf2cases.nn.layers.containers import Sequential, Skip


def summary_rows(network: Layer | Sequence[Layer]) -> list[tuple[str, Shape | None, int]]:
    """[(layer name, output shape, parameters)] of a created network, with nested Sequentials and Skips flattened.

    Args:
      network: a created `Layer`, or a list of them in display order.
    """
    if not isinstance(network, Layer):
        return [row for part in network for row in summary_rows(part)]
    if isinstance(network, Sequential):
        return summary_rows(network.layers)
    if isinstance(network, Skip):
        return summary_rows(network.branches)
    return [(network.name, network.output_shape, _count(network.variables))]


def summary(network: Layer | Sequence[Layer]) -> str:
    """The table as text, followed by the totals; printed at the start of a run."""
    parts = [network] if isinstance(network, Layer) else network
    table = [("Layer", "Output shape", "Parameters")]
    table += [(name, str(shape), f"{count:,}") for name, shape, count in summary_rows(parts)]
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in table]
    lines.insert(1, "-" * len(lines[0]))
    lines.append(lines[1])
    total = sum(_count(part.variables) for part in parts)
    trainable = sum(_count(part.trainable_variables) for part in parts)
    lines.append(f"Parameters: {total:,} (trainable {trainable:,}, others {total - trainable:,})")
    return "\n".join(lines)


def _count(variables: Iterable[tf.Variable]) -> int:
    return sum(v.shape.num_elements() or 0 for v in variables)
