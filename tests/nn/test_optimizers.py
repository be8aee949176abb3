"""Optimizers against Keras' and by hand, and what all of them have in common."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from nn_registry import EACH_OPTIMIZER, OPTIMIZERS, names

from tf2cases import nn

EVERY_KIND = pytest.mark.parametrize("case", EACH_OPTIMIZER, ids=names(EACH_OPTIMIZER))
STEPS = 100
SHAPES = ([3, 4], [5])
INF, NAN = np.inf, np.nan


def make_variables(seed=0):
    draws = np.random.default_rng(seed)
    return [tf.Variable(draws.standard_normal(shape).astype(np.float32), name=f"v{len(shape)}") for shape in SHAPES]


def make_gradients(steps, seed=1):
    draws = np.random.default_rng(seed)
    # Of very different sizes, as the gradients of a network are.
    sizes = 10 ** draws.uniform(-3, 1, [steps, 1, 1])
    matrices = draws.standard_normal([steps, 3, 4]) * sizes
    vectors = draws.standard_normal([steps, 5]) * sizes[..., 0]
    return [tf.constant(g.astype(np.float32)) for g in (matrices, vectors)]


def repeat(apply, gradients):
    """Applies each row of the stacked gradients in turn, in one traced call."""

    @tf.function
    def loop(*gradients):
        for i in tf.range(len(gradients[0])):
            apply([g[i] for g in gradients])

    loop(*gradients)


def everything(optimizer, variables):
    """All values that a step may change, but the loss scale's."""
    return [
        v.numpy() for v in [*variables, optimizer.iterations, *(s for slot in optimizer.slots.values() for s in slot)]
    ]


def assert_near(actual, expected, tolerance=1e-5):
    """Within a tolerance relative to the largest element of all."""
    largest = max(np.abs(e).max() for e in expected)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * largest)


def assert_equal(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_registry_is_complete():
    public = {kind for kind in vars(nn).values() if inspect.isclass(kind) and issubclass(kind, nn.Optimizer)}
    public -= {nn.Optimizer}
    assert public == {case.kind for case in OPTIMIZERS}
    assert public == {case.kind for case in EACH_OPTIMIZER}


KERAS_NAMES = {"beta1": "beta_1", "beta2": "beta_2"}


def keras_optimizer(case, **options):
    options |= {KERAS_NAMES.get(k, k): v for k, v in case.options.items()}
    return getattr(keras.optimizers, case.kind.__name__)(**options)


@pytest.mark.parametrize("clip_norm", [None, 0.7], ids=["", "clipped"])
@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_equals_keras_after_100_steps(case, clip_norm):
    ours, theirs, gradients = make_variables(), make_variables(), make_gradients(STEPS)
    optimizer = case.make(ours, clip_norm=clip_norm)
    repeat(optimizer.apply, gradients)
    referee = keras_optimizer(case, learning_rate=0.05, global_clipnorm=clip_norm)
    referee.build(theirs)
    repeat(lambda g: referee.apply_gradients(zip(g, theirs, strict=True)), gradients)
    assert_near(ours, theirs)
    assert optimizer.iterations == STEPS


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    """0.1 / (1 + step), for Keras and for ours."""

    def __call__(self, step):
        return 0.1 / (1 + tf.cast(step, tf.float32))


@EVERY_KIND
def test_equals_keras_with_a_schedule(case):
    ours, theirs, gradients = make_variables(), make_variables(), make_gradients(STEPS)
    repeat(case.make(ours, Falling()).apply, gradients)
    referee = keras_optimizer(case, learning_rate=Falling())
    referee.build(theirs)
    repeat(lambda g: referee.apply_gradients(zip(g, theirs, strict=True)), gradients)
    assert_near(ours, theirs)


def three_steps(optimizer, variable, gradients=(1.0, -2.0, 3.0)):
    values = []
    for g in gradients:
        optimizer.apply([tf.constant([g])])
        values.append(float(variable[0]))
    return values


def test_sgd_by_hand():
    # 1 - 0.1, then + 0.2, then - 0.3.
    variable = tf.Variable([1.0])
    assert three_steps(nn.SGD([variable], 0.1), variable) == pytest.approx([0.9, 1.1, 0.8], rel=1e-6)


def test_adam_by_hand():
    # beta1 = 0.5, beta2 = 0.75, rate 0.1, epsilon next to nothing; gradients 1, -2, 3.
    # m: 0.5; 0.25 - 1 = -0.75; -0.375 + 1.5 = 1.125. Divided by 1 - 0.5^t = 0.5, 0.75, 0.875: 1; -1; 1.285714.
    # v: 0.25; 0.1875 + 1 = 1.1875; 0.890625 + 2.25 = 3.140625.
    # Divided by 1 - 0.75^t = 0.25, 0.4375, 0.578125: 1; 2.714286; 5.432432. Roots: 1; 1.647509; 2.330758.
    # Steps 0.1 m / root: 0.1; -0.0606977; 0.0551629. Value 0.9; 0.9606977; 0.9055348.
    variable = tf.Variable([1.0])
    optimizer = nn.Adam([variable], 0.1, beta1=0.5, beta2=0.75, epsilon=1e-12)
    assert three_steps(optimizer, variable) == pytest.approx([0.9, 0.9606977, 0.9055348], rel=1e-6)


def test_adams_epsilon_is_added_before_the_bias_correction():
    # The first step: m = 0.1 g, v = 0.001 g^2; correction sqrt(0.001) / 0.1; with g = 1e-3 and epsilon = 1e-4:
    # sqrt(v) = 3.1622777e-5; step = 0.1 * 0.31622777 * 1e-4 / (3.1622777e-5 + 1e-4) = 0.0240253.
    variable = tf.Variable([0.0])
    nn.Adam([variable], 0.1, epsilon=1e-4).apply([tf.constant([1e-3])])
    assert variable.numpy()[0] == pytest.approx(-0.0240253, rel=1e-4)


def test_rmsprop_by_hand():
    # rho 0.75, rate 0.1, epsilon next to nothing; gradients 1, -2, 3.
    # v: 0.25; 0.1875 + 1 = 1.1875; 0.890625 + 2.25 = 3.140625. g / sqrt(v): 2; -1.8353259; 1.6928293.
    # Value: 0.8; 0.98353259; 0.81424966.
    variable = tf.Variable([1.0])
    optimizer = nn.RMSprop([variable], 0.1, rho=0.75, epsilon=1e-12)
    assert three_steps(optimizer, variable) == pytest.approx([0.8, 0.98353259, 0.81424966], rel=1e-6)


def test_adadelta_by_hand():
    # rho 0.5, epsilon 0.5, rate 0.1; gradients 1, -2.
    # v: 0.5; 0.25 + 2 = 2.25. d starts at 0: u = sqrt(0.5) / sqrt(1) = 0.70710678; d = 0.5 u^2 = 0.25.
    # u = -2 sqrt(0.75) / sqrt(2.75) = -1.0444659. Value: 1 - 0.070710678; + 0.10444659.
    variable = tf.Variable([1.0])
    optimizer = nn.Adadelta([variable], 0.1, rho=0.5, epsilon=0.5)
    assert three_steps(optimizer, variable, (1.0, -2.0)) == pytest.approx([0.92928932, 1.0337359], rel=1e-6)


def test_schedule_is_asked_for_the_number_of_updates_made():
    # Rates 1, 1/2, 1/4 and gradients of 1: the value falls to -1, -1.5, -1.75.
    variable = tf.Variable([0.0])
    optimizer = nn.SGD([variable], lambda step: 0.5 ** tf.cast(step, tf.float32))
    assert three_steps(optimizer, variable, (1.0, 1.0, 1.0)) == [-1.0, -1.5, -1.75]


def test_made_schedule_inside():
    # Warm-up over 3 steps to 0.4: 0.1, 0.2, 0.3.
    variable = tf.Variable([0.0])
    optimizer = nn.SGD([variable], nn.schedules.make("constant", 0.4, 10, warmup_steps=3))
    assert three_steps(optimizer, variable, (1.0, 1.0, 1.0)) == pytest.approx([-0.1, -0.3, -0.6])


def test_clipping_by_hand():
    # The norm of (3, 4) and (12) is 13; clipped to 6.5, all are halved. At 13 or more, nothing happens.
    gradients = [tf.constant([3.0, 4.0]), tf.constant([12.0])]
    for clip_norm, expected in ((6.5, [[-1.5, -2], [-6]]), (13.5, [[-3, -4], [-12]]), (None, [[-3, -4], [-12]])):
        variables = [tf.Variable([0.0, 0.0]), tf.Variable([0.0])]
        norm = nn.SGD(variables, 1.0, clip_norm=clip_norm).apply(gradients)
        assert norm == 13
        for variable, value in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable, value, rtol=1e-6)


def test_minimize_is_gradients_then_apply():
    # loss = x^2 + 3 y at (2, 1): gradients 4 and 3, norm 5.
    variables = [tf.Variable(2.0), tf.Variable(1.0)]
    optimizer = nn.SGD(variables, 0.5)
    with tf.GradientTape() as tape:
        loss = variables[0] ** 2 + 3 * variables[1]
    assert optimizer.minimize(loss, tape) == 5
    assert [float(v) for v in variables] == [0.0, -0.5]


def test_gradients_may_be_sparse():
    table = tf.Variable([[1.0], [2.0], [3.0]])
    optimizer = nn.SGD([table], 1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table, [0, 2, 2]))
    optimizer.minimize(loss, tape)
    np.testing.assert_array_equal(table, [[0.0], [2.0], [1.0]])


@EVERY_KIND
def test_variables_of_the_network_are_not_tracked_here(case):
    variables = make_variables()
    optimizer = case.make(variables)
    assert not {id(v) for v in variables} & {id(v) for v in optimizer.variables}
    assert len(optimizer.variables) == 1 + len(optimizer.slot_names) * len(variables)


@EVERY_KIND
def test_checkpoint_goes_on_where_it_was(case, tmp_path):
    variables, gradients = make_variables(), make_gradients(6)
    optimizer = case.make(variables)
    early, late = ([g[:3] for g in gradients], [g[3:] for g in gradients])
    repeat(optimizer.apply, early)
    path = tf.train.Checkpoint(optimizer=optimizer, variables=variables).save(str(tmp_path / "c"))
    repeat(optimizer.apply, late)
    new_variables = make_variables(seed=8)
    new = case.make(new_variables)
    tf.train.Checkpoint(optimizer=new, variables=new_variables).restore(path).assert_consumed()
    assert new.iterations == 3
    repeat(new.apply, late)
    assert_equal(everything(new, new_variables), everything(optimizer, variables))


@pytest.mark.parametrize("with_scale", [False, True], ids=["", "scaled"])
@EVERY_KIND
def test_xla_equals_eager(case, with_scale):
    states = []
    for jit in (False, True):
        variables = make_variables()
        scale = nn.precision.LossScale() if with_scale else None
        optimizer = case.make(variables, clip_norm=1.0, loss_scale=scale)
        apply = tf.function(optimizer.apply, jit_compile=True) if jit else optimizer.apply
        for g, h in zip(*make_gradients(3), strict=True):
            apply([g, h])
        states.append(everything(optimizer, variables))
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# --- Loss scaling.


@pytest.mark.parametrize("how", ["eager", "traced", "compiled"])
@EVERY_KIND
def test_overflowed_step_changes_nothing_but_the_scale(case, how):
    """Bit for bit, after some steps that filled the slots, and for inf, -inf and NaN."""
    variables, gradients = make_variables(), make_gradients(3)
    # Values whose sign or smallness a sloppy "change by nothing" would lose.
    variables[1].assign([0.0, -0.0, 1e-38, -1e-38, 1e30])
    scale = nn.precision.LossScale(initial=1024.0)
    optimizer = case.make(variables, clip_norm=1.0, loss_scale=scale)
    apply = optimizer.apply if how == "eager" else tf.function(optimizer.apply, jit_compile=how == "compiled")
    for i, bad in enumerate((INF, -INF, NAN)):
        apply([g[i] for g in gradients])
        before = everything(optimizer, variables)
        overflowed = gradients[1][i].numpy()
        overflowed[2] = bad
        norm = apply([gradients[0][i], tf.constant(overflowed)])
        assert norm == 0
        assert [b.tobytes() for b in before] == [a.tobytes() for a in everything(optimizer, variables)]
        assert scale.scale == 1024 / 2 ** (i + 1)
        assert scale.good_steps == 0
    assert optimizer.iterations == 3


@EVERY_KIND
def test_overflowed_steps_leave_no_trace(case):
    """A run with overflows is the run without them."""
    gradients = make_gradients(10)
    plain, scaled = make_variables(), make_variables()
    repeat(case.make(plain).apply, gradients)
    optimizer = case.make(scaled, loss_scale=nn.precision.LossScale())
    for i, (g, h) in enumerate(zip(*gradients, strict=True)):
        optimizer.apply([g, h])
        if i % 3 == 0:
            optimizer.apply([g * INF, h])
    assert_near(scaled, plain, 1e-6)


def test_gradients_are_divided_by_the_scale():
    # In float16, 1e-8 is 0 (the least number is 6e-8); started from a scale of 2^15 the backward pass keeps it.
    variable = tf.Variable([1.0])
    for scale, expected in ((None, 0.0), (nn.precision.LossScale(initial=2.0**15), 1e-8)):
        optimizer = nn.SGD([variable], 1.0, loss_scale=scale)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(tf.cast(variable, tf.float16), tf.float32) * 1e-8)
        (gradient,) = optimizer.gradients(loss, tape)
        assert gradient.dtype == tf.float32
        np.testing.assert_allclose(gradient, [expected], rtol=1e-3)


def test_float16_overflow_in_the_backward_pass_skips_the_step():
    # d loss / d x = 4, times 2^15 is beyond float16's 65,504; at 2^13 it is not.
    variable = tf.Variable([1.0])
    scale = nn.precision.LossScale(initial=2.0**15)
    optimizer = nn.SGD([variable], 0.125, loss_scale=scale)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(4 * tf.cast(variable, tf.float16), tf.float32))
        return optimizer.minimize(loss, tape)

    norms = [float(step()) for _ in range(3)]
    assert norms == [0.0, 0.0, 4.0]
    assert scale.scale == 2.0**13
    assert variable.numpy() == [0.5]
    assert optimizer.iterations == 1


# --- Two replicas.


def split(strategy, tensor):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.split(tensor, 2)[context.replica_id_in_sync_group]
    )


def regression_step(optimizer, variables):
    """One update of a linear model in the least squares of (x, y)."""

    def step(x, y):
        kernel, bias = variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.linalg.matvec(x @ kernel, tf.ones([4])) - y + tf.reduce_sum(bias)) ** 2)
        return optimizer.minimize(loss, tape)

    return step


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@EVERY_KIND
def test_two_replicas_with_half_the_batch_equal_one_with_all(case, scaled, two_replicas):
    """With a loss scale, one step of the four overflows, and in one replica only; both must skip it."""
    draws = np.random.default_rng(4)
    x = draws.standard_normal([4, 8, 3]).astype(np.float32)
    y = draws.standard_normal([4, 8]).astype(np.float32)
    if scaled:
        x[1, 7, 0] = INF

    def make():
        variables = make_variables()
        scale = nn.precision.LossScale(growth_interval=2) if scaled else None
        optimizer = case.make(variables, clip_norm=2.0, loss_scale=scale)
        return optimizer, variables, regression_step(optimizer, variables)

    single, single_variables, single_step = make()
    for i in range(4):
        single_step(tf.constant(x[i]), tf.constant(y[i]))
    with two_replicas.scope():
        mirrored, mirrored_variables, mirrored_step = make()

    @tf.function
    def run(x, y):
        norms = two_replicas.run(mirrored_step, args=(split(two_replicas, x), split(two_replicas, y)))
        return two_replicas.experimental_local_results(norms)

    for i in range(4):
        norms = run(tf.constant(x[i]), tf.constant(y[i]))
        np.testing.assert_array_equal(*norms)
    for a, b in zip(everything(mirrored, mirrored_variables), everything(single, single_variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for variable in mirrored_variables:
        np.testing.assert_array_equal(*two_replicas.experimental_local_results(variable))
    if scaled:
        assert mirrored.iterations == 3
        # 2^15, halved by the overflow, doubled after two good steps.
        assert mirrored.loss_scale.scale == single.loss_scale.scale == 2.0**15


def test_mean_over_replicas(two_replicas):
    def replica():
        i = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        return nn.optimizers.mean_over_replicas([i, 10 * i])

    means = tf.function(lambda: two_replicas.run(replica))()
    assert [float(v) for m in means for v in two_replicas.experimental_local_results(m)] == [0.5, 0.5, 5, 5]
    same = [tf.constant(1.0)]
    assert nn.optimizers.mean_over_replicas(same) == same
