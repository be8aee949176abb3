"""The table of layers, output shapes and parameter counts."""

import math

from tf2cases.nn.layers import Sequential, Skip


def summary_rows(network):
    """[(layer name, output shape, parameters)] of a created network, nested Sequentials and Skips flattened.

    Args:
      network: a created `Layer`, or a list of them in the order they are to be shown.
    """
    if isinstance(network, (list, tuple)):
        return [row for part in network for row in summary_rows(part)]
    if isinstance(network, Sequential):
        return [row for layer in network.layers for row in summary_rows(layer)]
    if isinstance(network, Skip):
        return summary_rows(network.branches)
    return [(network.name, network.output_shape, _count(network.variables))]


def summary(network):
    """The table as text, with the totals below, as printed at the start of a run."""
    parts = list(network) if isinstance(network, (list, tuple)) else [network]
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


def _count(variables):
    return sum(math.prod(v.shape) for v in variables)
