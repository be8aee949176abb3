"""Optimizers on TensorFlow's fused update kernels: one kernel per variable and step, updating in place.

An optimizer owns its step count, its slots (one tensor per variable and kind, in checkpoints under the variable's own
position) and, for float16, the loss scale. A step is

    with tf.GradientTape() as tape:
        loss = ...
    optimizer.minimize(loss, tape)

or `gradients` and `apply` apart, where something is to be done in between. Under `tf.distribute` the gradients are
averaged over the replicas, so the loss is the mean over the replica's own rows.
"""

import tensorflow as tf

_ops = tf.raw_ops


def mean_over_replicas(tensors):
    """The mean of each tensor over all replicas, as a list; called by every replica."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


class Optimizer(tf.Module):
    """Base class: gradients, clipping, skipping of overflowed steps, and the schedule.

    Args:
      variables: the tf.Variables to train, at least one.
      learning_rate: a float > 0, or a schedule (see `schedules`).
      clip_norm: gradients are scaled down so that their global norm is at most this; None leaves them alone
        (Pascanu et al. 2012, arXiv 1211.5063, algorithm 1).
      loss_scale: a `precision.LossScale` for float16, or None. A step whose gradients are not all finite then changes
        nothing but the scale.
    """

    slot_names = ()

    def __init__(self, variables, learning_rate, clip_norm=None, loss_scale=None, name="optimizer"):
        super().__init__(name)
        variables = list(variables)
        if not variables:
            raise ValueError("variables is empty, but an optimizer needs at least one variable.")
        if not callable(learning_rate) and not learning_rate > 0:
            raise ValueError(f"learning_rate is {learning_rate!r}, but must be greater than 0.")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm is {clip_norm!r}, but must be greater than 0.")
        # The variables belong to the network; behind a function they are not tracked (and saved) here as well.
        self.variables_to_train = lambda: variables
        self.learning_rate = learning_rate if callable(learning_rate) else lambda step: learning_rate
        self.clip_norm, self.loss_scale = clip_norm, loss_scale
        self.iterations = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="iterations",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self.slots = {slot: [self._slot(slot, v) for v in variables] for slot in self.slot_names}

    def _slot(self, slot, variable):
        return tf.Variable(
            tf.fill(variable.shape, self._initial_value(slot)),
            trainable=False,
            name=f"{slot}/{variable.name.split(':')[0]}",
        )

    def _initial_value(self, slot):
        del slot
        return 0.0

    def minimize(self, loss, tape):
        """One update: `apply(gradients(loss, tape))`.

        Args:
          loss: float32 scalar, the mean over this replica's rows, computed under `tape`.
          tape: the tf.GradientTape.

        Returns:
          The gradients' global norm before clipping, float32 scalar.
        """
        return self.apply(self.gradients(loss, tape))

    @tf.Module.with_name_scope
    def gradients(self, loss, tape):
        """d loss / d variable for each variable, averaged over the replicas, as a list.

        With a loss scale, the backward pass starts from the scale instead of 1, and the result is divided by it; so
        the tape need not have seen the scale.

        Raises:
          ValueError: a variable does not influence the loss (its gradient is None).
        """
        variables = self.variables_to_train()
        seed = self.loss_scale and tf.cast(self.loss_scale.scale, loss.dtype)
        gradients = tape.gradient(loss, variables, output_gradients=seed)
        unused = [v.name for v, g in zip(variables, gradients, strict=True) if g is None]
        if unused:
            raise ValueError(f"the loss does not depend on {unused[0]}, so it has no gradient.")
        gradients = [tf.convert_to_tensor(g) for g in gradients]
        gradients = mean_over_replicas(gradients)
        if seed is not None:
            gradients = [g / seed for g in gradients]
        return gradients

    @tf.Module.with_name_scope
    def apply(self, gradients):
        """Updates the variables.

        Args:
          gradients: float32 tensors in the order of the variables, of their shapes.

        Returns:
          Their global norm before clipping, float32 scalar (a step that overflowed float16 gives infinity or NaN).
        """
        variables = self.variables_to_train()
        if len(gradients) != len(variables):
            raise ValueError(f"{len(gradients)} gradients were given, but there are {len(variables)} variables.")
        norm = tf.linalg.global_norm(gradients)
        if self.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm, norm)
        go = tf.constant(True)
        if self.loss_scale:
            go = tf.math.is_finite(norm)
            gradients = [tf.where(go, g, 0.0) for g in gradients]
            self.loss_scale.update(go)
        rate = tf.cast(self.learning_rate(self.iterations), tf.float32)
        hyper = self._hyper(rate)
        if self.loss_scale:
            # Selecting the hyper-parameters with which a zero gradient changes nothing skips the step without a branch.
            hyper = {k: tf.where(go, v, self._idle[k]) for k, v in hyper.items()}
        slots = zip(*(self.slots[s] for s in self.slot_names), strict=True)
        slots = slots if self.slot_names else [()] * len(variables)
        for variable, gradient, own in zip(variables, gradients, slots, strict=True):
            self._update(variable, gradient, own, hyper)
        self.iterations.assign_add(tf.cast(go, tf.int64))
        return norm

    def _hyper(self, rate):
        """{name: float32 scalar} for the kernels of this step."""
        raise NotImplementedError

    def _update(self, variable, gradient, slots, hyper):
        """Runs the fused kernel for one variable."""
        raise NotImplementedError


def _check_share(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}, but must be at least 0 and less than 1.")


def _check_epsilon(value):
    if not value > 0:
        raise ValueError(f"epsilon is {value!r}, but must be greater than 0.")


class SGD(Optimizer):
    """momentum_t = momentum * momentum_{t-1} + g; variable -= rate * momentum_t (with momentum 0: rate * g).

    Sutskever et al. 2013, in the form of most libraries, where the rate multiplies the whole momentum.
    """

    _idle = {"rate": 0.0, "momentum": 1.0}

    def __init__(self, variables, learning_rate, momentum=0.0, nesterov=False, name="sgd", **options):
        _check_share("momentum", momentum)
        self.momentum, self.nesterov = momentum, nesterov
        self.slot_names = ("momentum",) if momentum else ()
        super().__init__(variables, learning_rate, name=name, **options)

    def _hyper(self, rate):
        return {"rate": rate, "momentum": tf.constant(self.momentum)}

    def _update(self, variable, gradient, slots, hyper):
        if not slots:
            _ops.ResourceApplyGradientDescent(var=variable.handle, alpha=hyper["rate"], delta=gradient)
            return
        _ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=slots[0].handle,
            lr=hyper["rate"],
            grad=gradient,
            momentum=hyper["momentum"],
            use_nesterov=self.nesterov,
        )


class Adam(Optimizer):
    """m, v: moving means of g and g^2; variable -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).

    Kingma and Ba 2014, arXiv 1412.6980, in the order of computation given before section 2.1, whose epsilon
    ("epsilon hat") is added before the bias correction, as TensorFlow and Keras do.
    """

    slot_names = ("m", "v")
    _idle = {"rate": 0.0, "beta1": 1.0, "beta2": 1.0}

    def __init__(self, variables, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-7, name="adam", **options):
        _check_share("beta1", beta1)
        _check_share("beta2", beta2)
        _check_epsilon(epsilon)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        super().__init__(variables, learning_rate, name=name, **options)

    def _hyper(self, rate):
        # The correction is folded into the rate; the kernel's own powers are set to 0.
        t = tf.cast(self.iterations + 1, tf.float32)
        correction = tf.sqrt(1 - tf.pow(self.beta2, t)) / (1 - tf.pow(self.beta1, t))
        return {
            "rate": rate * correction,
            "beta1": tf.constant(self.beta1),
            "beta2": tf.constant(self.beta2),
        }

    def _update(self, variable, gradient, slots, hyper):
        _ops.ResourceApplyAdam(
            var=variable.handle,
            m=slots[0].handle,
            v=slots[1].handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=hyper["rate"],
            beta1=hyper["beta1"],
            beta2=hyper["beta2"],
            epsilon=self.epsilon,
            grad=gradient,
        )


class RMSprop(Optimizer):
    """v = rho * v + (1 - rho) * g^2; mom = momentum * mom + rate * g / sqrt(v + epsilon); variable -= mom.

    Tieleman and Hinton 2012, Coursera lecture 6.5.
    """

    _idle = {"rate": 0.0, "rho": 1.0, "momentum": 1.0, "moves": False}

    def __init__(
        self,
        variables,
        learning_rate,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        name="rmsprop",
        **options,
    ):
        _check_share("rho", rho)
        _check_share("momentum", momentum)
        _check_epsilon(epsilon)
        self.rho, self.momentum, self.epsilon = rho, momentum, epsilon
        super().__init__(variables, learning_rate, name=name, **options)

    @property
    def slot_names(self):
        return ("mean_square", "momentum") if self.momentum else ("mean_square",)

    def _hyper(self, rate):
        return {
            "rate": rate,
            "rho": tf.constant(self.rho),
            "momentum": tf.constant(self.momentum),
            "moves": tf.constant(True),
        }

    def _update(self, variable, gradient, slots, hyper):
        if not self.momentum:
            # The fused kernel would read and write a slot of zeros, a third of the memory that a step goes through.
            mean_square = slots[0]
            mean_square.assign_add((tf.square(gradient) - mean_square) * (1 - hyper["rho"]))
            variable.assign_sub(hyper["rate"] * gradient * tf.math.rsqrt(mean_square + self.epsilon))
            return
        before = tf.convert_to_tensor(variable) if self.loss_scale else None
        _ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=slots[0].handle,
            mom=slots[1].handle,
            lr=hyper["rate"],
            rho=hyper["rho"],
            momentum=hyper["momentum"],
            epsilon=self.epsilon,
            grad=gradient,
        )
        if self.loss_scale:
            # The kernel subtracts the momentum whatever the rate, so a skipped step has to be taken back.
            variable.assign(tf.where(hyper["moves"], variable, before))


class Adadelta(Optimizer):
    """v = rho * v + (1 - rho) * g^2; u = g * sqrt(d + epsilon) / sqrt(v + epsilon); variable -= rate * u;
    d = rho * d + (1 - rho) * u^2. Zeiler 2012, arXiv 1212.5701, algorithm 1, with a rate before the update.
    """

    slot_names = ("mean_square", "mean_square_update")
    _idle = {"rate": 0.0, "rho": 1.0}

    def __init__(self, variables, learning_rate=1.0, rho=0.95, epsilon=1e-7, name="adadelta", **options):
        _check_share("rho", rho)
        _check_epsilon(epsilon)
        self.rho, self.epsilon = rho, epsilon
        super().__init__(variables, learning_rate, name=name, **options)

    def _hyper(self, rate):
        return {"rate": rate, "rho": tf.constant(self.rho)}

    def _update(self, variable, gradient, slots, hyper):
        _ops.ResourceApplyAdadelta(
            var=variable.handle,
            accum=slots[0].handle,
            accum_update=slots[1].handle,
            lr=hyper["rate"],
            rho=hyper["rho"],
            epsilon=self.epsilon,
            grad=gradient,
        )
