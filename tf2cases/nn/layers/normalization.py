"""Batch normalization."""

import tensorflow as tf

from tf2cases.nn import checks, variables
from tf2cases.nn.layers.base import Activation, Layer, Shape


class BatchNorm(Layer):
    """activation(scale * (inputs - mean) / sqrt(variance + epsilon) + offset) for each channel of [N, H, W, C].

    In training, mean and variance are those of the batch, and the moving statistics are updated:
    moving = momentum * moving + (1 - momentum) * batch statistic, with the unbiased variance that the fused kernel
    returns. Outside of training, the moving statistics are used, so that the outputs of an example do not depend on its
    batch. Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1.

    Under `tf.distribute`, each replica normalizes with the statistics of its own rows.
    Saved in checkpoints: `moving_mean` and `moving_variance` (averaged over the replicas), `offset`, and `scale` unless
    `use_scale` is False; float32 [C] each.

    Args:
      momentum: momentum of the moving statistics, in [0, 1].
      epsilon: added to the variance; greater than 0.
      use_scale: whether to train a scale; otherwise it is 1.
      activation: function applied to the outputs, or None.
      name: see `Layer`.
    """

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        use_scale: bool = True,
        activation: Activation | None = None,
        name: str | None = None,
    ):
        super().__init__(name)
        if not 0 <= momentum <= 1:
            raise ValueError(f"{self.name}: momentum is {momentum!r}, but must be between 0 and 1.")
        self.momentum, self.epsilon = momentum, checks.positive(f"{self.name}: epsilon", epsilon)
        self.use_scale, self.activation = use_scale, activation

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        *_, channels = self._require_pictures(input_shape)
        mean = tf.VariableAggregation.MEAN
        self.moving_mean = variables.of_each_replica(tf.zeros([channels]), "moving_mean", mean)
        self.moving_variance = variables.of_each_replica(tf.ones([channels]), "moving_variance", mean)
        if self.use_scale:
            self.scale = tf.Variable(tf.ones([channels]), name="scale")
        self.offset = tf.Variable(tf.zeros([channels]), name="offset")
        return input_shape

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor, is_training: bool, update_statistics: bool = True) -> tf.Tensor:
        """`update_statistics=False` leaves the moving statistics unchanged in training."""
        return self.finish(self.start(inputs, is_training, update_statistics))

    def start(self, inputs: tf.Tensor, is_training: bool, update_statistics: bool = True) -> tf.Tensor:
        """The normalized inputs; `finish` computes the rest."""
        fixed = {}
        if not is_training:
            fixed["mean"] = tf.convert_to_tensor(self.moving_mean)
            fixed["variance"] = tf.convert_to_tensor(self.moving_variance)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=tf.convert_to_tensor(self.scale) if self.use_scale else tf.ones(self.moving_mean.shape),
            offset=tf.convert_to_tensor(self.offset),
            epsilon=self.epsilon,
            is_training=is_training,
            **fixed,
        )
        if is_training and update_statistics:
            self.moving_mean.assign_sub((1 - self.momentum) * (self.moving_mean - mean))
            self.moving_variance.assign_sub((1 - self.momentum) * (self.moving_variance - variance))
        return outputs

    def finish(self, outputs: tf.Tensor) -> tf.Tensor:
        """The layer's outputs from those of `start`: applies the activation."""
        return self.activation(outputs) if self.activation else outputs
