"""A variable that counts, and values that a module does not track."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn


def test_a_counter_starts_at_0_and_is_not_trained():
    counter = nn.variables.counter("updates")
    assert (counter.name, counter.dtype, counter.shape, counter.trainable) == ("updates:0", tf.int64, [], False)
    assert counter == 0


def test_replicas_count_alike(two_replicas):
    with two_replicas.scope():
        counter = nn.variables.counter("updates")
    two_replicas.run(lambda: counter.assign_add(1))
    assert counter == 1
    assert [int(value) for value in two_replicas.experimental_local_results(counter)] == [1, 1]


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"a": [v]}], ids=["variable", "list", "dict"])
def test_what_is_untracked_is_neither_listed_nor_saved(wrap, tmp_path):
    module, variable = tf.Module(), tf.Variable([1.0, 2.0])
    value = wrap(variable)
    module.value = nn.variables.untracked(value)
    assert module.value() is value
    assert module.variables == ()
    path = tf.train.Checkpoint(module=module).write(str(tmp_path / "c"))
    assert not [name for name, _ in tf.train.list_variables(path) if name.startswith("module/")]
    np.testing.assert_array_equal(variable, [1.0, 2.0])
