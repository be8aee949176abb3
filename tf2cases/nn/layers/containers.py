"""Layers that contain other layers, in sequence or in parallel."""

import itertools
from collections.abc import Iterable, Sequence

import tensorflow as tf

from tf2cases.nn import random
from tf2cases.nn.layers import fusion
from tf2cases.nn.layers.base import Layer, Shape, ShapeError, call


class Sequential(Layer):
    """Applies layers in sequence, each with the arguments that it accepts (see `call`).

    Some neighbours are computed together, with the same outputs by less work (see `fusion`).

    Args:
      layers: the layers, in order.
      name: see `Layer`.
    """

    def __init__(self, layers: Iterable[Layer], name: str | None = None):
        super().__init__(name)
        self.layers = _named(self.name, "layer", layers)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        shape = input_shape
        for layer in self.layers:
            shape = layer.create(shape, random.fold(seed, layer.name))
        return shape

    @tf.Module.with_name_scope
    def __call__(
        self,
        inputs: tf.Tensor,
        is_training: bool | None = None,
        seed: tf.Tensor | None = None,
        update_statistics: bool | None = None,
    ) -> tf.Tensor:
        """The outputs of the last layer.

        Args:
          inputs: [N, ...].
          is_training: needed by `BatchNorm`, `Dropout` and `SpectralNorm`.
          seed: int64 [2], the seed of the step; needed by `Dropout` in training.
          update_statistics: whether to update moving statistics in training; they are updated by default.

        Raises:
          TypeError: a layer needs an argument that is not given.
        """
        return fusion.apply(
            self.layers, inputs, is_training=is_training, seed=seed, update_statistics=update_statistics
        )


class Branches(Layer):
    """Applies several layers to the same inputs and concatenates their outputs along the last axis.

    Args:
      branches: layers whose output shapes may differ in the last axis only.
      name: see `Layer`.
    """

    def __init__(self, branches: Iterable[Layer], name: str | None = None):
        super().__init__(name)
        self.branches = _named(self.name, "branch", branches)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        shapes = [branch.create(input_shape, random.fold(seed, branch.name)) for branch in self.branches]
        if len({shape[:-1] for shape in shapes}) != 1:
            raise ShapeError(
                f"{self.name}: branches have output shapes {[list(shape) for shape in shapes]}, but may differ in the "
                "last axis only."
            )
        channels = (self._require_rank(shape, len(shape), "[batch, ..., channels]") for shape in shapes)
        return (*shapes[0][:-1], sum(channels))

    @tf.Module.with_name_scope
    def __call__(
        self,
        inputs: tf.Tensor,
        is_training: bool | None = None,
        seed: tf.Tensor | None = None,
        update_statistics: bool | None = None,
    ) -> tf.Tensor:
        """The concatenated outputs of all branches; arguments and errors as in `Sequential`."""
        outputs = [call(branch, inputs, is_training, seed, update_statistics) for branch in self.branches]
        return tf.concat(outputs, axis=-1)


class Skip(Branches):
    """Concatenates the inputs and the outputs of layers applied to them: [N, H, W, C] -> [N, H, W, C + C'].

    Nested `Skip`s form a U-Net (Ronneberger et al. 2015, arXiv 1505.04597).

    Args:
      layers: the layers, in order; their outputs must have the height and width of the inputs.
      name: see `Layer`.
    """

    def __init__(self, layers: Iterable[Layer], name: str | None = None):
        super().__init__([Sequential([], "inputs"), Sequential(layers, "layers")], name)

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, in order."""
        _, sequence = self.branches
        assert isinstance(sequence, Sequential)
        return sequence.layers


def _named(container: str, kind: str, layers: Iterable[Layer]) -> list[Layer]:
    """Numbers unnamed layers of the same type: `dense`, `dense_1`, ...

    Raises:
      ValueError: a name was given twice.
    """
    layers = list(layers)
    taken = [layer.given_name for layer in layers if layer.given_name is not None]
    for name in taken:
        if taken.count(name) > 1:
            raise ValueError(f"{container}: {kind} name {name!r} is used twice, but must be unique.")
    for layer in layers:
        if layer.given_name is None:
            if layer.name in taken:
                numbered = (f"{layer.name}_{i}" for i in itertools.count(1))
                layer.rename(next(name for name in numbered if name not in taken))
            taken.append(layer.name)
    return layers
