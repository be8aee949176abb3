"""Seeds and stateless draws."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn


def int64(*values):
    return tf.constant(values, tf.int64)


def test_fold_by_hand():
    # printf 'SEED/NAME' | sha256sum, the first 16 digits, shifted right by one bit.
    assert nn.random.fold(0, "kernel") == 0xC87CBC781CAAF414 >> 1
    assert nn.random.fold(7, 3) == 0x653E83E7D95BB7BE >> 1


def test_fold_gives_each_part_its_own_seed():
    seeds = {nn.random.fold(seed, name) for seed in (0, 1, 2**63 - 1) for name in ("a", "b", 0, 1, 2)}
    assert len(seeds) == 15
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**63 - 1])
def test_at_step_takes_tensors_and_ints(seed):
    for step in (3, tf.constant(3), tf.constant(3, tf.int64), tf.Variable(3, dtype=tf.int64)):
        actual = nn.random.at_step(seed, step)
        assert actual.dtype == tf.int64
        np.testing.assert_array_equal(actual, [seed, 3])


DRAWS = {
    "uniform": nn.random.uniform,
    "scaled": lambda shape, seed: nn.random.uniform(shape, seed, -2.0, 5.0),
    "normal": nn.random.normal,
    "truncated_normal": nn.random.truncated_normal,
}
EVERY_DRAW = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@EVERY_DRAW
def test_draws_are_a_function_of_the_seed(draw):
    first = draw([50], int64(1, 2)).numpy()
    np.testing.assert_array_equal(draw([50], int64(1, 2)), first)
    for other in (int64(2, 2), int64(1, 3), int64(2, 1)):
        assert not np.isin(draw([50], other).numpy(), first).any()


@EVERY_DRAW
def test_draws_are_the_same_under_xla(draw):
    # The seed is an argument, since what can be computed while tracing is not left to XLA.
    compiled = tf.function(lambda seed: draw([1001], seed), jit_compile=True)
    for seed in (int64(1, 2), int64(2**40, 3), int64(2**63 - 1, 2**33)):
        # Not equal to the last bit, since erfinv is computed in another way there.
        np.testing.assert_allclose(compiled(seed), draw([1001], seed), rtol=1e-5, atol=1e-5)


@EVERY_DRAW
def test_draws_of_a_shape_known_late_are_the_same(draw):
    function = tf.function(draw, input_signature=[tf.TensorSpec([2], tf.int32), tf.TensorSpec([2], tf.int64)])
    np.testing.assert_allclose(
        function(tf.constant([6, 7]), int64(1, 2)), draw([6, 7], int64(1, 2)), rtol=1e-6, atol=1e-6
    )


def test_uniform_fills_its_range_evenly():
    draws = nn.random.uniform([200_000], int64(3, 4)).numpy()
    assert draws.dtype == np.float32
    assert 0 <= draws.min() < 1e-4
    assert 1 - 1e-4 < draws.max() < 1
    # 20 bins of 10,000 +- 97.
    counts = np.histogram(draws, 20, (0, 1))[0]
    assert np.abs(counts - 10_000).max() < 450


def test_uniform_of_a_range():
    draws = nn.random.uniform([100_000], int64(3, 4), -2.0, 5.0).numpy()
    assert draws.min() >= -2
    assert draws.max() < 5
    # Mean 1.5; variance 49 / 12.
    assert abs(draws.mean() - 1.5) < 0.03
    assert abs(draws.var() - 49 / 12) < 0.06


@pytest.mark.parametrize(
    ("draw", "low"), [(nn.random.normal, -np.inf), (nn.random.truncated_normal, -2.0)], ids=["normal", "truncated"]
)
def test_normal_draws_have_the_distribution(draw, low):
    stats = pytest.importorskip("scipy.stats")
    draws = draw([100_000], int64(3, 4)).numpy().astype(np.float64)
    assert draws.min() >= low - 1e-5
    assert np.isfinite(draws).all()
    expected = stats.truncnorm(low, -low)
    assert stats.kstest(draws, expected.cdf).pvalue > 0.01
    assert abs(draws.std() - expected.std()) < 0.01


def test_normal_draws_from_the_ends_of_the_uniform_are_finite(monkeypatch):
    for bits in (0, 2**32 - 1):
        monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_, bits=bits, **__: tf.constant([bits], tf.uint32))
        # scipy.stats.norm.isf(2 ** -24): half of the last of the 2^23 parts lies beyond.
        np.testing.assert_allclose(np.abs(nn.random.normal([1], int64(1, 2))), 5.2946, rtol=1e-3)
        assert abs(nn.random.truncated_normal([1], int64(1, 2)).numpy()[0]) == pytest.approx(2, abs=1e-5)


def test_of_global_batch_is_the_draw_itself_on_one_device():
    actual = nn.random.of_global_batch(nn.random.normal, [4, 3], int64(1, 2))
    np.testing.assert_array_equal(actual, nn.random.normal([4, 3], int64(1, 2)))


@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
def test_of_global_batch_gives_each_replica_its_rows(two_replicas, known):
    seed = int64(1, 2)

    @tf.function(input_signature=[tf.TensorSpec([2], tf.int32)])
    def run(shape):
        shape = [2 if known else shape[0], 3]
        parts = two_replicas.run(lambda: nn.random.of_global_batch(nn.random.uniform, shape, seed))
        return two_replicas.experimental_local_results(parts)

    together = nn.random.uniform([4, 3], seed)
    np.testing.assert_array_equal(tf.concat(run(tf.constant([2, 3])), 0), together)


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.9])
def test_keep_mask_keeps_the_other_share_of_an_odd_number_of_elements(rate):
    mask = nn.random.keep_mask(rate)([301, 7, 13], int64(1, 2))
    assert mask.shape == (301, 7, 13)
    deviation = np.sqrt(rate * (1 - rate) / (301 * 91))
    assert abs(np.mean(mask) - (1 - rate)) < 4 * deviation
    # Neighbours share a word of random bits and must be independent all the same.
    flat = tf.reshape(mask, [301, 91]).numpy()[:, :90].reshape(-1, 2)
    assert abs(np.corrcoef(flat.T)[0, 1]) < 4 / np.sqrt(len(flat))


def test_keep_mask_is_the_same_under_xla():
    draw = nn.random.keep_mask(0.25)
    compiled = tf.function(lambda seed: draw([5, 7], seed), jit_compile=True)
    np.testing.assert_array_equal(compiled(int64(3, 4)), draw([5, 7], int64(3, 4)))


def test_of_global_batch_for_one_number_a_row(two_replicas):
    parts = two_replicas.run(lambda: nn.random.of_global_batch(nn.random.uniform, [2], int64(1, 2)))
    together = tf.concat(two_replicas.experimental_local_results(parts), 0)
    np.testing.assert_array_equal(together, nn.random.uniform([4], int64(1, 2)))
