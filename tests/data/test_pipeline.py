"""Which examples make up batch k."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.data import pipeline


def make_arrays(n):
    images = (np.arange(n * 4) % 251).astype(np.uint8).reshape(n, 2, 2)
    return {"id": np.arange(n, dtype=np.int32), "images": images}


def ids(batches, steps, start=0):
    return np.concatenate([batches.batch(start + s)["id"].numpy() for s in range(steps)])


def assert_equal_batches(actual, expected):
    assert list(actual) == list(expected)
    for name in expected:
        assert actual[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(actual[name], expected[name])


@pytest.mark.parametrize(
    ("n", "batch_size"),
    [(1, 1), (1, 5), (2, 5), (3, 5), (7, 1), (7, 5), (47, 5), (256, 64), (1000, 128), (70000, 7000)],
)
def test_every_epoch_is_a_permutation(n, batch_size):
    steps = math.lcm(n, batch_size) // batch_size * 2
    order = ids(pipeline.Batches(make_arrays(n), batch_size, seed=1), steps)
    assert len(order) >= 2 * n
    for epoch in order.reshape(-1, n):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))


def test_the_orders_of_two_epochs_and_of_two_seeds_differ():
    def epochs(seed):
        return ids(pipeline.Batches(make_arrays(100), 100, seed), 3)

    orders = [tuple(e) for seed in (0, 1, 2**31, 2**32, 2**62 - 1) for e in epochs(seed).reshape(3, 100)]
    assert len(set(orders)) == len(orders)
    assert tuple(range(100)) not in orders


def test_the_order_is_repeatable():
    first, second = (ids(pipeline.Batches(make_arrays(30), 10, seed=4), 9) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_orders_do_not_repeat_after_256_epochs():
    # RandomIndexShuffle takes 8 bits of each word of its seed for a small set.
    n, epochs = 64, 600
    orders = ids(pipeline.Batches(make_arrays(n), n * 50, seed=0), epochs // 50).reshape(epochs, n)
    assert len({tuple(order) for order in orders}) == epochs


def test_every_example_comes_at_every_place_about_equally_often():
    n, epochs = 64, 2000
    batches = pipeline.Batches(make_arrays(n), n * 250, seed=0)
    orders = ids(batches, epochs // 250).reshape(epochs, n)
    # Binomial, mean 31.25; 128 counts, so five standard deviations are never met by chance.
    for place in (0, n - 1):
        counts = np.bincount(orders[:, place], minlength=n)
        assert np.abs(counts - epochs / n).max() < 5 * np.sqrt(epochs / n)


def test_neighbours_in_an_epoch_are_unrelated():
    n, epochs, places = 60000, 20, 1000
    batches = pipeline.Batches({"id": np.arange(n, dtype=np.int32)}, places, seed=0)
    differences = np.concatenate([np.diff(ids(batches, 1, start=60 * e)) % n for e in range(epochs)])
    # Uniform on 1..n-1: a chi-squared with 39 degrees of freedom has mean 39 and standard deviation 8.8.
    counts = np.bincount(differences * 40 // n, minlength=40)
    assert ((counts - len(differences) / 40) ** 2 / (len(differences) / 40)).sum() < 39 + 5 * 8.8


def test_mixing_equals_splitmix64():
    # The first outputs of the published generator started at 0: it mixes the multiples of the golden ratio.
    golden = 0x9E3779B97F4A7C15
    states = tf.constant([golden, 2 * golden % 2**64], tf.uint64)
    assert pipeline._mixed(states).numpy().tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@pytest.mark.parametrize(("n", "batch_size"), [(7, 3), (47, 10), (4, 10), (1, 3), (6, 6)])
@pytest.mark.parametrize("start", [0, 1, 5, 1000])
@pytest.mark.parametrize("shuffle", [True, False])
def test_reading_from_a_step_on_gives_the_batches_that_are_gathered_from_memory(n, batch_size, start, shuffle):
    batches = pipeline.Batches(make_arrays(n), batch_size, seed=9, shuffle=shuffle)
    for step, read in enumerate(batches.dataset(start).take(6), start):
        assert_equal_batches(read, batches.batch(step))


def test_the_rows_of_a_batch_belong_together():
    batches = pipeline.Batches(make_arrays(13), 4, seed=0)
    for step in range(5):
        batch = batches.batch(step)
        np.testing.assert_array_equal(batch["images"], make_arrays(13)["images"][batch["id"].numpy()])


def test_a_batch_larger_than_the_set_holds_whole_epochs():
    order = ids(pipeline.Batches(make_arrays(3), 8, seed=0), 3)
    for epoch in order.reshape(8, 3):
        assert sorted(epoch) == [0, 1, 2]


def test_without_shuffling_every_epoch_has_the_examples_own_order():
    batches = pipeline.Batches(make_arrays(5), 3, seed=0, shuffle=False)
    np.testing.assert_array_equal(ids(batches, 5), np.tile(np.arange(5), 3))


def test_a_traced_batch_equals_an_eager_one_and_has_a_known_shape():
    batches = pipeline.Batches(make_arrays(9), 4, seed=2)
    shapes = []

    @tf.function
    def traced(step):
        batch = batches.batch(step)
        shapes.append([t.shape.as_list() for t in batch.values()])
        return batch

    for step in (0, 2, 7):
        assert_equal_batches(traced(tf.constant(step, tf.int64)), batches.batch(step))
    assert shapes == [[[4], [4, 2, 2]]]


def test_batches_that_are_read_have_a_known_shape():
    spec = pipeline.Batches(make_arrays(9), 4, seed=2).dataset(0).element_spec
    assert spec == {"id": tf.TensorSpec([4], tf.int32), "images": tf.TensorSpec([4, 2, 2], tf.uint8)}


def test_a_step_far_away_is_reached_at_once():
    batches = pipeline.Batches(make_arrays(10), 10, seed=0)
    step = 10**12
    assert sorted(ids(batches, 1, start=step)) == list(range(10))
    assert_equal_batches(next(iter(batches.dataset(step))), batches.batch(step))


def test_memory_maps_are_read_like_arrays(tmp_path):
    arrays, maps = make_arrays(50), {}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        maps[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    expected = pipeline.Batches(arrays, 16, seed=3)
    mapped = pipeline.Batches(maps, 16, seed=3)
    for step, read in enumerate(mapped.dataset(2).take(4), 2):
        assert_equal_batches(read, expected.batch(step))
        assert_equal_batches(mapped.batch(step), expected.batch(step))


def test_a_set_beyond_the_limit_is_not_held_in_memory(monkeypatch):
    arrays = make_arrays(10)  # 10 * (4 + 4) bytes
    monkeypatch.setattr(pipeline, "IN_MEMORY_LIMIT", 80)
    assert pipeline.Batches(arrays, 3, seed=0).in_memory
    monkeypatch.setattr(pipeline, "IN_MEMORY_LIMIT", 79)
    batches = pipeline.Batches(arrays, 3, seed=0)
    assert not batches.in_memory
    assert not any(isinstance(value, dict) and "Tensor" in repr(value) for value in vars(batches).values())
    assert next(iter(batches.dataset(0)))["id"].shape == 3


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 500, [3]), (1, 1, [1])])
def test_in_order_gives_each_example_once_with_a_smaller_last_batch(n, batch_size, sizes):
    arrays = make_arrays(n)
    batches = list(pipeline.in_order(arrays, batch_size))
    assert [len(b["id"]) for b in batches] == sizes
    assert_equal_batches({name: np.concatenate([b[name] for b in batches]) for name in arrays}, arrays)


def test_in_order_can_be_gone_through_again_and_knows_the_examples_shape():
    dataset = pipeline.in_order(make_arrays(5), 2)
    assert dataset.element_spec["images"].shape.as_list() == [None, 2, 2]
    first, second = (np.concatenate([b["id"] for b in dataset]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_set_of_one_array_works():
    arrays = {"x": np.linspace(0, 1, 6, dtype=np.float64)}
    assert next(iter(pipeline.Batches(arrays, 2, seed=0).dataset(0)))["x"].dtype == tf.float64
    np.testing.assert_array_equal(np.concatenate([b["x"] for b in pipeline.in_order(arrays, 4)]), arrays["x"])
