"""Learning-rate schedules by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.nn import schedules


def rates(schedule, steps):
    values = [schedule(tf.constant(step, tf.int64)) for step in steps]
    assert all(v.dtype == tf.float32 and v.shape == () for v in values)
    return [float(v) for v in values]


def test_constant():
    assert rates(schedules.make("constant", 0.25, 10), (0, 1, 9, 10, 1000)) == [0.25] * 5


def test_constant_with_warm_up():
    # 3 steps of warm-up: a quarter, a half, three quarters, all of it.
    schedule = schedules.make("constant", 0.8, 10, warmup_steps=3)
    assert rates(schedule, (0, 1, 2, 3, 4, 9)) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_cosine():
    # (1 + cos(pi * step / 6)) / 2: cosines 1, sqrt(3) / 2, 1/2, 0, -1/2, -sqrt(3) / 2, -1; and no further.
    expected = [2, 1 + 3**0.5 / 2, 1.5, 1, 0.5, 1 - 3**0.5 / 2, 0, 0]
    schedule = schedules.make("cosine", 2.0, 6)
    assert rates(schedule, (0, 1, 2, 3, 4, 5, 6, 100)) == pytest.approx(expected, abs=1e-6)


def test_cosine_with_warm_up():
    # Warm-up by halves over 1 step, then a cosine over the 4 remaining: 1, (1 + sqrt(1/2)) / 2, 1/2, ...
    schedule = schedules.make("cosine", 1.0, 5, warmup_steps=1)
    root = 0.5**0.5
    expected = [0.5, 1, (1 + root) / 2, 0.5, (1 - root) / 2, 0]
    assert rates(schedule, range(6)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", schedules.NAMES)
def test_same_when_traced_and_compiled(name):
    schedule = schedules.make(name, 0.1, 50, warmup_steps=5)
    steps = tf.range(50, dtype=tf.int64)
    expected = [schedule(step) for step in steps]
    for jit in (False, True):
        function = tf.function(lambda: tf.map_fn(schedule, steps, tf.float32), jit_compile=jit)
        np.testing.assert_allclose(function(), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", schedules.NAMES)
def test_takes_the_optimizers_counter(name):
    assert float(schedules.make(name, 0.5, 10)(tf.Variable(0, dtype=tf.int64))) == 0.5
