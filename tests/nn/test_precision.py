"""Compute dtypes and the loss scale."""

import pytest
import tensorflow as tf

from tf2cases import nn


def test_compute_dtypes_by_name():
    assert nn.precision.NAMES == ("float32", "bfloat16", "float16")
    dtypes = [nn.precision.compute_dtype(name) for name in nn.precision.NAMES]
    assert dtypes == [tf.float32, tf.bfloat16, tf.float16]


def test_only_float16_needs_a_loss_scale():
    assert nn.precision.loss_scale("float32") is None
    assert nn.precision.loss_scale("bfloat16") is None
    scale = nn.precision.loss_scale("float16")
    assert isinstance(scale, nn.precision.LossScale)
    assert scale.scale == 2.0**15


@pytest.mark.parametrize("how", ["eager", "traced", "compiled"])
def test_scale_doubles_after_good_steps_and_halves_after_a_bad_one(how):
    scale = nn.precision.LossScale(initial=8.0, growth_interval=3)
    update = scale.update if how == "eager" else tf.function(scale.update, jit_compile=how == "compiled")
    seen = []
    for finite in (True, True, True, True, True, False, True, True, True, False, False):
        update(tf.constant(finite))
        seen.append((float(scale.scale), int(scale.good_steps)))
    expected = [(8, 1), (8, 2), (16, 0), (16, 1), (16, 2), (8, 0), (8, 1), (8, 2), (16, 0), (8, 0), (4, 0)]
    assert seen == expected


def test_scale_does_not_fall_below_1():
    scale = nn.precision.LossScale(initial=1.5)
    for _ in range(3):
        scale.update(tf.constant(False))
        assert scale.scale == 1


def test_scale_is_saved(tmp_path):
    scale = nn.precision.LossScale(growth_interval=5)
    scale.update(tf.constant(False))
    scale.update(tf.constant(True))
    path = tf.train.Checkpoint(scale=scale).save(str(tmp_path / "c"))
    new = nn.precision.LossScale(growth_interval=5)
    tf.train.Checkpoint(scale=new).restore(path).assert_consumed()
    assert (new.scale.numpy(), new.good_steps.numpy()) == (2.0**14, 1)
