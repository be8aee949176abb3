"""The base class of layers, and how containers call them."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# (batch, ..., channels); None stands for a size that is not known yet.
Shape = tuple[int | None, ...]
Activation = Callable[[tf.Tensor], tf.Tensor]


class ShapeError(ValueError):
    """Inputs of a shape that a layer cannot take: data that do not fit a network, rather than a mistake in its code."""


class Layer(tf.Module):
    """Base class of layers; the package's docstring has the contract.

    Args:
      name: the scope of the variables. A container also derives the seed of the initial values from it. By default the
        name of the kind, which containers number where it occurs again: `dense`, `dense_1`, ...

    Attributes:
      given_name: the name if one was given, else None.
      output_shape: a `Shape`, set by `create`; None before.
    """

    # The name of the kind; None stands for the class's name in snake case.
    default_name: str | None = None
    __call__: Callable[..., tf.Tensor]

    def __init__(self, name: str | None = None):
        super().__init__(self.default_name if name is None else name)
        self.given_name = name
        self.output_shape: Shape | None = None

    def rename(self, name: str) -> None:
        """Gives the layer a name in place of the default one; before `create`, since variables are named after it."""
        self._name = self.given_name = name

    @property
    def name_scope(self) -> tf.name_scope:
        """The scope that `tf.Module.with_name_scope` enters for each call: the caller's, then the layer's name.

        (The scope of tf.Module is fixed where a layer is constructed, and so would leave out the network around it.)

        Raises:
          RuntimeError: `create` was not called yet.
        """
        if self.output_shape is None:
            raise RuntimeError(f"{self.name} was called before its `create`, which makes the variables.")
        return tf.name_scope(self.name)

    def create(self, input_shape: Sequence[int | None], seed: int) -> Shape:
        """Makes the variables for inputs of `input_shape` and returns the output shape.

        Args:
          input_shape: (batch, ..., channels).
          seed: in [0, 2^63); decides the initial values.

        Raises:
          ShapeError: the shape does not fit.
          ValueError: it was called before; an optimizer may hold the variables.
        """
        if self.output_shape is not None:
            raise ValueError(f"{self.name} was created already, but a layer can be created only once.")
        with tf.name_scope(self.name):
            self.output_shape = self._create(tuple(input_shape), seed)
        return self.output_shape

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        """What `create` does, in the layer's name scope."""
        raise NotImplementedError

    def _require_rank(self, input_shape: Shape, rank: int, layout: str) -> int:
        """Returns the last dimension; raises ShapeError unless it is known and the rank is right."""
        if len(input_shape) != rank:
            raise ShapeError(f"{self.name} got inputs of shape {list(input_shape)}, but needs rank {rank}: {layout}.")
        if input_shape[-1] is None:
            raise ShapeError(f"{self.name} got inputs of shape {list(input_shape)}, but needs a known last dimension.")
        return input_shape[-1]

    def _require_pictures(self, input_shape: Shape) -> tuple[int | None, int | None, int | None, int]:
        """Returns (batch, height, width, channels); raises ShapeError unless the shape is such."""
        channels = self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        batch, height, width, _ = input_shape
        return batch, height, width, channels

    def _require_positive(self, **values: Any) -> None:
        for name, value in values.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{self.name}: {name} is {value!r}, but must be a positive integer.")

    def __repr__(self) -> str:
        """The call that makes such a layer. Arguments that have their default values are left out."""
        shown = []
        for parameter in list(inspect.signature(type(self).__init__).parameters.values())[1:]:
            value = self.given_name if parameter.name == "name" else getattr(self, parameter.name)
            if parameter.default is parameter.empty:
                shown.append(_shown(value))
            elif value != parameter.default:
                shown.append(f"{parameter.name}={_shown(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    """An argument as Python writes it; a function by its name."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return getattr(value, "__name__", repr(value))


def call(
    layer: Layer,
    inputs: tf.Tensor,
    is_training: bool | None = None,
    seed: tf.Tensor | None = None,
    update_statistics: bool | None = None,
) -> tf.Tensor:
    """Calls a layer with those of the arguments that it takes; None stands for one that is not given.

    Raises:
      TypeError: the layer requires an argument that is not given.
    """
    arguments = {"is_training": is_training, "seed": seed, "update_statistics": update_statistics}
    given = {}
    kind: Any = type(layer)
    for name, is_required in _parameters(kind).items():
        if arguments.get(name) is not None:
            given[name] = arguments[name]
        elif is_required:
            raise TypeError(f"{layer.name} needs the argument {name!r}, but it was not given.")
    return layer(inputs, **given)


@functools.cache
def _parameters(kind: Any) -> dict[str, bool]:
    """{name: whether it is required} of the parameters of `__call__` after the inputs."""
    _, _, *parameters = inspect.signature(kind.__call__).parameters.values()
    return {parameter.name: parameter.default is parameter.empty for parameter in parameters}
