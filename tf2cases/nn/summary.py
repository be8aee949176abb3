"""Tables of layers, output shapes and parameter counts."""

from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

from tf2cases.nn.layers.base import Layer, Shape
from tf2cases.nn.layers.containers import Sequential, Skip

_HEAD = ("Layer", "Output shape", "Parameters")


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


def summary(
    network: Layer | Sequence[Layer] | Mapping[str, Layer | Sequence[Layer]], others: Sequence[tf.Variable] = ()
) -> str:
    """The tables as text, each followed by its totals; printed at the start of a run.

    With several tables, each has the name of its network above it, and the totals of all follow.

    Args:
      network: a created `Layer`; a list of them, with a table for each; or {name: the layers of one table}.
      others: variables outside of these layers; they get a table of their own.
    """
    if isinstance(network, Layer):
        network = [network]
    titled = network.items() if isinstance(network, Mapping) else [(part.name, part) for part in network]
    tables: list[tuple[str, list[tuple[str, str, str]], list[tf.Variable]]] = []
    for title, layers in titled:
        rows = [(name, str(shape), f"{count:,}") for name, shape, count in summary_rows(layers)]
        parts = [layers] if isinstance(layers, Layer) else layers
        tables.append((title, [_HEAD, *rows], [v for part in parts for v in part.variables]))
    if others:
        rows = [(v.name.split(":")[0], str(tuple(v.shape)), f"{_count([v]):,}") for v in others]
        tables.append(("variables outside of layers", [("Variable", "Shape", "Parameters"), *rows], list(others)))
    widths = [max([len(_HEAD[i]), *(len(row[i]) for _, rows, _ in tables for row in rows)]) for i in range(3)]
    if len(tables) == 1:
        return "\n".join(_table(*tables[0][1:], widths))
    lines = []
    for title, rows, variables in tables:
        lines += [title, *_table(rows, variables, widths), ""]
    return "\n".join([*lines, "In all: " + _totals([v for *_, variables in tables for v in variables])])


def _table(rows: Sequence[tuple[str, str, str]], variables: Sequence[tf.Variable], widths: Sequence[int]) -> list[str]:
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:], rule, "Parameters: " + _totals(variables)]


def _totals(variables: Sequence[tf.Variable]) -> str:
    total, trainable = _count(variables), _count(v for v in variables if v.trainable)
    return f"{total:,} (trainable {trainable:,}, others {total - trainable:,})"


def _count(variables: Iterable[tf.Variable]) -> int:
    return sum(v.shape.num_elements() or 0 for v in variables)
