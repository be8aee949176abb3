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
    """Inputs of a shape that a layer cannot accept: the data do not fit the network; its code is not at fault."""


class Layer(tf.Module):
    """Base class of layers; see the package's docstring for the contract.

    Args:
      name: the name scope of the variables. Containers also derive the seed of the initial values from it. By default
        the name of the layer type, which containers number if it repeats: `dense`, `dense_1`, ...

    Attributes:
      given_name: the name if one was given, else None.
      output_shape: a `Shape`, set by `create`; None before.
    """

    # The name of the layer type; None: the class name in snake case.
    default_name: str | None = None
    __call__: Callable[..., tf.Tensor]

    def __init__(self, name: str | None = None):
        super().__init__(self.default_name if name is None else name)
        self.given_name = name
        self.output_shape: Shape | None = None

    def rename(self, name: str) -> None:
        """Replaces the default name. Must be called before `create`, since variable names include the layer's name."""
        self._name = self.given_name = name

    @property
    def name_scope(self) -> tf.name_scope:
        """The scope that `tf.Module.with_name_scope` enters for each call: the layer's name within the caller's scope.

        (tf.Module fixes its scope at construction, which would omit the scope of the enclosing network.)

        Raises:
          RuntimeError: `create` was not called yet.
        """
        if self.output_shape is None:
            raise RuntimeError(f"{self.name} was called before `create`, which creates the variables.")
        return tf.name_scope(self.name)

    def create(self, input_shape: Sequence[int | None], seed: int) -> Shape:
        """Creates the variables for inputs of `input_shape` and returns the output shape.

        Args:
          input_shape: (batch, ..., channels).
          seed: in [0, 2^63); decides the initial values.

        Raises:
          ShapeError: the shape does not fit.
          ValueError: the layer was created already; an optimizer may hold its variables.
        """
        if self.output_shape is not None:
            raise ValueError(f"{self.name} was created already, but a layer can be created only once.")
        with tf.name_scope(self.name):
            self.output_shape = self._create(tuple(input_shape), seed)
        return self.output_shape

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        """Implements `create`; runs in the layer's name scope."""
        raise NotImplementedError

    def _require_rank(self, input_shape: Shape, rank: int, layout: str) -> int:
        """Returns the last dimension; raises ShapeError unless it is known and the rank is right."""
        if len(input_shape) != rank:
            raise ShapeError(f"{self.name} got inputs of shape {list(input_shape)}, but needs rank {rank}: {layout}.")
        if input_shape[-1] is None:
            raise ShapeError(f"{self.name} got inputs of shape {list(input_shape)}, but needs a known last dimension.")
        return input_shape[-1]

    def _require_pictures(self, input_shape: Shape) -> tuple[int | None, int | None, int | None, int]:
        """Returns (batch, height, width, channels); raises ShapeError unless the shape has this form."""
        channels = self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        batch, height, width, _ = input_shape
        return batch, height, width, channels

    def _require_positive(self, **values: Any) -> None:
        for name, value in values.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{self.name}: {name} is {value!r}, but must be a positive integer.")

    def __repr__(self) -> str:
        """The constructor call of the layer, without arguments that have their default values."""
        shown = []
        for parameter in list(inspect.signature(type(self).__init__).parameters.values())[1:]:
            value = self.given_name if parameter.name == "name" else getattr(self, parameter.name)
            if parameter.default is parameter.empty:
                shown.append(_shown(value))
            elif value != parameter.default:
                shown.append(f"{parameter.name}={_shown(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    """The `repr` of an argument; of a function, the name."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return getattr(value, "__name__", repr(value))


def call(
    layer: Layer,
    inputs: tf.Tensor,
    is_training: bool | None = None,
    seed: tf.Tensor | None = None,
    update_statistics: bool | None = None,
    method: str = "__call__",
) -> tf.Tensor:
    """Calls a layer, or another method of it, with the arguments that its signature accepts; None counts as not given.

    Raises:
      TypeError: the layer requires an argument that is not given.
    """
    arguments = {"is_training": is_training, "seed": seed, "update_statistics": update_statistics}
    given = {}
    kind: Any = type(layer)
    for name, is_required in _parameters(kind, method).items():
        if arguments.get(name) is not None:
            given[name] = arguments[name]
        elif is_required:
            raise TypeError(f"{layer.name} needs the argument {name!r}, but it was not given.")
    return getattr(layer, method)(inputs, **given)


@functools.cache
def _parameters(kind: Any, method: str) -> dict[str, bool]:
    """{name: whether it is required} of the parameters of a method that follow the inputs."""
    _, _, *parameters = inspect.signature(getattr(kind, method)).parameters.values()
    return {parameter.name: parameter.default is parameter.empty for parameter in parameters}
