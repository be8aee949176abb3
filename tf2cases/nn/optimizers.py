"""Optimizers, all but RMSprop on TensorFlow's fused kernels: one in-place update kernel per variable and step.

An optimizer owns its step count, its slots (tensors with the shape of a variable, saved in checkpoints at the index of
the variable) and, for float16, the loss scale. A training step:

    with tf.GradientTape() as tape:
        loss = ...
    optimizer.minimize(loss, tape)

Under `tf.distribute`, gradients are averaged over the replicas, so the loss must be the mean over the replica's rows.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tf2cases.nn import checks
from tf2cases.nn.precision import LossScale
from tf2cases.nn.schedules import Schedule
from tf2cases.nn.variables import counter, untracked

Variables = Iterable[tf.Variable]
Rate = float | Schedule  # a constant greater than 0, or a schedule


def mean_over_replicas(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The mean of each tensor over all replicas; every replica must call it."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


class Optimizer(tf.Module):
    """Base class: computes and clips gradients, skips steps that overflow, and evaluates the learning rate.

    A subclass lists its slots and its decays and updates one variable in `_update`.

    Args:
      variables: the tf.Variables to train, at least one.
      learning_rate: a float > 0, or a schedule (see `schedules`).
      clip_norm: largest global norm of the gradients, which are scaled down if they exceed it; None: no clipping
        (Pascanu et al. 2012, arXiv 1211.5063, algorithm 1).
      loss_scale: a `precision.LossScale` for float16, or None. With a loss scale, a step whose gradients are not all
        finite changes only the scale.
    """

    # Tensors kept for each variable, initialized to 0.
    slot_names: tuple[str, ...] = ()
    # Names of attributes in [0, 1). A decay of 1 with a gradient of 0 leaves a slot unchanged.
    decay_names: tuple[str, ...] = ()

    def __init__(
        self,
        variables: Variables,
        learning_rate: Rate,
        clip_norm: float | None = None,
        loss_scale: LossScale | None = None,
    ):
        super().__init__(type(self).__name__.lower())
        variables = list(variables)
        if not variables:
            raise ValueError("variables is empty, but an optimizer needs at least one variable.")
        if not callable(learning_rate):
            checks.positive("learning_rate", learning_rate)
        if clip_norm is not None:
            checks.positive("clip_norm", clip_norm)
        self.variables_to_train = untracked(variables)  # the network tracks them
        self.learning_rate = learning_rate if callable(learning_rate) else lambda step: tf.constant(learning_rate)
        self.clip_norm, self.loss_scale = clip_norm, loss_scale
        self.iterations = counter("iterations")
        self.slots = {name: [_slot(name, variable) for variable in variables] for name in self.slot_names}

    def minimize(self, loss: tf.Tensor, tape: tf.GradientTape) -> tf.Tensor:
        """One update: `apply(gradients(loss, tape))`.

        Args:
          loss: float32 scalar, the mean over this replica's rows, computed under `tape`.
          tape: the tf.GradientTape.

        Returns:
          The gradients' global norm before clipping, float32 scalar.
        """
        return self.apply(self.gradients(loss, tape))

    @tf.Module.with_name_scope
    def gradients(self, loss: tf.Tensor, tape: tf.GradientTape) -> list[tf.Tensor]:
        """d loss / d variable for each variable, averaged over the replicas.

        With a loss scale, the backward pass starts from the scale instead of 1, and the result is divided by it. The
        loss on the tape is therefore not scaled.

        Raises:
          ValueError: a variable does not influence the loss (its gradient is None).
        """
        variables = self.variables_to_train()
        scale = tf.cast(self.loss_scale.scale, loss.dtype) if self.loss_scale else None
        gradients = tape.gradient(loss, variables, output_gradients=None if scale is None else [scale])
        unused = [v.name for v, g in zip(variables, gradients, strict=True) if g is None]
        if unused:
            raise ValueError(f"the loss does not depend on {unused[0]}, so it has no gradient.")
        gradients = mean_over_replicas([tf.convert_to_tensor(g) for g in gradients])  # tf.gather's are sparse
        return gradients if scale is None else [g / scale for g in gradients]

    @tf.Module.with_name_scope
    def apply(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Updates the variables.

        Args:
          gradients: float32 tensors in the order and with the shapes of the variables.

        Returns:
          Their global norm before clipping, float32 scalar; 0 if the step overflowed float16 and is skipped.

        Raises:
          ValueError: the numbers of gradients and variables differ.
        """
        variables = self.variables_to_train()
        if len(gradients) != len(variables):
            raise ValueError(f"{len(gradients)} gradients were given, but there are {len(variables)} variables.")
        norm = tf.linalg.global_norm(gradients)
        if self.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm, norm)
        rate, decays = self._rate(), [tf.constant(getattr(self, name)) for name in self.decay_names]
        go = tf.constant(True)
        if self.loss_scale:
            # Skips the step without a branch: a rate of 0, gradients of 0 and decays of 1 change nothing.
            go = tf.math.is_finite(norm)
            gradients = [tf.where(go, gradient, 0.0) for gradient in gradients]
            rate, decays = tf.where(go, rate, 0.0), [tf.where(go, decay, 1.0) for decay in decays]
            norm = tf.where(go, norm, 0.0)
            self.loss_scale.update(go)
        for i, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
            slots = [self.slots[name][i] for name in self.slot_names]
            self._update(variable, gradient, rate, *slots, *decays)
        self.iterations.assign_add(tf.cast(go, tf.int64))
        return norm

    def _rate(self) -> tf.Tensor:
        """The learning rate of this step, float32 scalar."""
        return tf.cast(self.learning_rate(self.iterations), tf.float32)

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *state: Any) -> None:
        """Updates one variable and its slots; `state` is the slots, then the decays."""
        raise NotImplementedError


def _slot(name: str, variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape), trainable=False, name=f"{name}/{variable.name.split(':')[0]}")


class SGD(Optimizer):
    """Stochastic gradient descent: variable -= rate * g. Robbins and Monro 1951."""

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *state: Any) -> None:
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)


class Adam(Optimizer):
    """m, v: moving means of g and g^2; variable -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).

    Kingma and Ba 2014, arXiv 1412.6980, in the order of computation given just before section 2.1: epsilon
    ("epsilon hat") is added before the bias correction, as in TensorFlow and Keras.
    """

    slot_names = ("m", "v")
    decay_names = ("beta1", "beta2")

    def __init__(
        self,
        variables: Variables,
        learning_rate: Rate,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ):
        super().__init__(variables, learning_rate, **options)
        self.beta1, self.beta2 = checks.fraction("beta1", beta1), checks.fraction("beta2", beta2)
        self.epsilon = checks.positive("epsilon", epsilon)

    def _rate(self) -> tf.Tensor:
        # The bias correction is folded into the rate, so the kernel's beta powers are 0.
        t = tf.cast(self.iterations + 1, tf.float32)
        return super()._rate() * (tf.sqrt(1 - tf.pow(self.beta2, t)) / (1 - tf.pow(self.beta1, t)))

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *state: Any) -> None:
        m, v, beta1, beta2 = state
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class RMSprop(Optimizer):
    """v = rho * v + (1 - rho) * g^2; variable -= rate * g / sqrt(v + epsilon).

    Tieleman and Hinton 2012, Coursera lecture 6.5.
    """

    slot_names = ("mean_square",)
    decay_names = ("rho",)

    def __init__(
        self, variables: Variables, learning_rate: Rate, rho: float = 0.9, epsilon: float = 1e-7, **options: Any
    ):
        super().__init__(variables, learning_rate, **options)
        self.rho, self.epsilon = checks.fraction("rho", rho), checks.positive("epsilon", epsilon)

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *state: Any) -> None:
        mean_square, rho = state
        # Not the fused kernel: its additional momentum slot is a third of the memory that it reads and writes.
        mean_square.assign_add((tf.square(gradient) - mean_square) * (1 - rho))
        variable.assign_sub(rate * gradient * tf.math.rsqrt(mean_square + self.epsilon))


class Adadelta(Optimizer):
    """v = rho * v + (1 - rho) * g^2; u = g * sqrt(d + epsilon) / sqrt(v + epsilon); variable -= rate * u;
    d = rho * d + (1 - rho) * u^2. Zeiler 2012, arXiv 1212.5701, algorithm 1, with the update multiplied by a rate.
    """

    slot_names = ("mean_square", "mean_square_update")
    decay_names = ("rho",)

    def __init__(
        self, variables: Variables, learning_rate: Rate, rho: float = 0.95, epsilon: float = 1e-7, **options: Any
    ):
        super().__init__(variables, learning_rate, **options)
        self.rho, self.epsilon = checks.fraction("rho", rho), checks.positive("epsilon", epsilon)

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *state: Any) -> None:
        mean_square, mean_square_update, rho = state
        tf.raw_ops.ResourceApplyAdadelta(
            var=variable.handle,
            accum=mean_square.handle,
            accum_update=mean_square_update.handle,
            lr=rate,
            rho=rho,
            epsilon=self.epsilon,
            grad=gradient,
        )
