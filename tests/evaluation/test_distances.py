"""The distances against closed forms, SciPy's root of a matrix, and double sums in NumPy."""

import math

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from tf2cases.evaluation import distances


def frechet_distance(a, b):
    return distances.Gaussian(a).distance(distances.Gaussian(b))


def draw(seed, rows, columns, mixed=True):
    """Features whose columns depend on one another, around a mean that is not 0."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal([rows, columns]) + rng.standard_normal(columns)
    return features @ rng.standard_normal([columns, columns]) if mixed else features


def with_moments(seed, rows, mean, covariance):
    """Rows whose mean and unbiased covariance are exactly those."""
    x = np.random.default_rng(seed).standard_normal([rows, len(mean)])
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def by_scipy(a, b):
    """The formula as Heusel et al. 2017 wrote it, with the root of the product of the covariances."""
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    spread = np.trace(np.cov(a, rowvar=False)) + np.trace(np.cov(b, rowvar=False)) - 2 * np.trace(root)
    return np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + spread


@pytest.mark.parametrize(("rows", "columns"), [(500, 20), (2, 5), (30, 200), (4000, 1)])
def test_frechet_of_a_set_with_itself_is_zero_with_and_without_full_rank(rows, columns):
    a = draw(0, rows, columns) * 100
    trace = np.trace(np.atleast_2d(np.cov(a, rowvar=False)))
    assert 0 <= frechet_distance(a, a.copy()) < 1e-6 * trace
    shuffled = np.random.default_rng(1).permutation(a)
    assert frechet_distance(a, shuffled) < 1e-6 * trace


def test_frechet_of_known_gaussians_is_the_closed_form():
    # Covariances with the same eigenvectors: the sum of (sqrt(l1) - sqrt(l2))^2, plus that of the means.
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal([4, 4]))[0]
    first, second = np.array([1.0, 4.0, 9.0, 16.0]), np.array([25.0, 4.0, 1.0, 0.25])
    a = with_moments(1, 50, np.array([1.0, 2.0, 3.0, 4.0]), turn @ np.diag(first) @ turn.T)
    b = with_moments(2, 70, np.array([1.0, 0.0, 3.0, 9.0]), turn @ np.diag(second) @ turn.T)
    # (1-5)^2 + (2-2)^2 + (3-1)^2 + (4-0.5)^2 = 32.25; the means add 0 + 4 + 0 + 25.
    assert frechet_distance(a, b) == pytest.approx(32.25 + 29, rel=1e-10)


def test_frechet_of_two_dimensional_gaussians_is_the_closed_form_by_hand():
    # In two dimensions tr((C1 C2)^(1/2)) = sqrt(tr(C1 C2) + 2 sqrt(det C1 det C2)); these do not commute.
    one, two = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[5.0, -2.0], [-2.0, 1.0]])
    root = math.sqrt(np.trace(one @ two) + 2 * math.sqrt(5 * 1))  # determinants 5 and 1
    a, b = with_moments(5, 40, np.zeros(2), one), with_moments(6, 30, np.array([3.0, 4.0]), two)
    assert frechet_distance(a, b) == pytest.approx(25 + 5 + 6 - 2 * root, rel=1e-10)


@pytest.mark.parametrize("columns", [1, 3, 40])
def test_frechet_agrees_with_scipys_root_of_a_matrix(columns):
    a, b = draw(1, 300, columns), draw(2, 500, columns)
    if columns == 1:
        expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    else:
        expected = by_scipy(a, b)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


def test_frechet_with_fewer_rows_than_features_has_the_value_of_the_subspaces():
    # Covariances of rank 1 along u and v: the root's trace is s1 s2 |u . v|.
    u, v = np.eye(50)[0], (np.eye(50)[0] * 3 + np.eye(50)[1] * 4) / 5
    a, b = np.outer([-1.0, 1.0], u), np.outer([-3.0, 3.0], v)  # variances 2 and 18
    assert frechet_distance(a, b) == pytest.approx(2 + 18 - 2 * math.sqrt(2 * 18) * 0.6, rel=1e-12)


def test_frechet_is_computed_in_float64_whatever_comes_in():
    a, b = draw(1, 400, 8, mixed=False) + 1e4, draw(2, 400, 8, mixed=False) + 1e4
    single = frechet_distance(a.astype(np.float32), b.astype(np.float32))
    assert single == pytest.approx(frechet_distance(a, b), rel=1e-2)
    numbers = np.array([[0, 2], [4, 0], [2, 5]], np.uint8)
    assert frechet_distance(numbers, numbers + 3) == pytest.approx(18)


def double_sum(a, b):
    """Unbiased MMD^2, pair by pair."""

    def kernel(x, y):
        return (float(np.dot(x, y)) / len(x) + 1) ** 3

    n, m = len(a), len(b)
    total = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    total += sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return total - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m)


@pytest.mark.parametrize("block", [1, 100, 2**23])
def test_kernel_equals_the_double_sum_whatever_the_blocks(block, monkeypatch):
    monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", block)
    a, b = draw(1, 40, 6, mixed=False), draw(2, 31, 6, mixed=False)
    value, _ = distances.kernel_distance(a, b)
    assert abs(value - double_sum(a, b)) < 1e-10
    assert value > 0


def test_standard_error_is_that_of_leaving_each_row_out():
    a, b = draw(1, 9, 4, mixed=False), draw(2, 7, 4, mixed=False)
    without_a = np.array([double_sum(np.delete(a, i, 0), b) for i in range(9)])
    without_b = np.array([double_sum(a, np.delete(b, i, 0)) for i in range(7)])
    variance = 8 * without_a.var() + 6 * without_b.var()  # (n - 1) / n times the sum of squares
    assert distances.kernel_distance(a, b)[1] == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_over_random_halves_of_one_set_the_kernel_distance_is_0_on_average():
    rng, features = np.random.default_rng(0), draw(4, 200, 5, mixed=False)
    found = []
    for _ in range(200):
        order = rng.permutation(200)
        found.append(distances.kernel_distance(features[order[:100]], features[order[100:]]))
    values, errors = np.array(found).T
    assert abs(values.mean()) < 2 * values.std(ddof=1) / math.sqrt(len(values))
    assert (values < 0).any()  # it is not clipped
    # As documented: where there is no difference, the error is too large rather than too small, by up to sqrt(2).
    assert 1 < np.sqrt(np.mean(errors**2)) / values.std() < 1.6


def test_standard_error_is_the_spread_of_the_value_where_the_sets_differ():
    found = [distances.kernel_distance(rows(s, 0.0), rows(1000 + s, 0.7)) for s in range(300)]
    values, errors = np.array(found).T
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(ddof=1), rel=0.15)


def rows(seed, shift):
    return np.random.default_rng(seed).standard_normal([60, 3]) + shift


def test_the_kernel_matrix_is_never_held_whole(monkeypatch):
    sizes, multiply = [], tf.matmul

    def recorded(*arguments, **options):
        product = multiply(*arguments, **options)
        sizes.append(math.prod(product.shape))
        return product

    monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", 1000)
    monkeypatch.setattr(tf, "matmul", recorded)
    a = draw(1, 300, 4, mixed=False)
    distances.kernel_distance(a, a + 1)
    assert max(sizes) <= 1000
    assert sum(sizes) == 3 * 300 * 300


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros([5]), np.zeros([5, 2]), r"a has the shape \[5\], but must be \[N, d\] with N >= \d and d >= 1"),
        (np.zeros([5, 2]), np.zeros([1, 2]), r"b has the shape \[1, 2\]"),
        (np.zeros([5, 0]), np.zeros([5, 0]), r"a has the shape \[5, 0\]"),
        (np.zeros([5, 2]), np.zeros([5, 3]), r"a has 2 features per row and b has 3, but they must agree"),
        (np.full([5, 2], np.nan), np.zeros([5, 2]), r"a holds values that are not finite"),
    ],
)
def test_other_shapes_and_values_are_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        distances.kernel_distance(a, b)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros([5]), r"features has the shape \[5\], but must be \[N, d\] with N >= 2 and d >= 1"),
        (np.zeros([1, 2]), r"features has the shape \[1, 2\]"),
        (np.full([5, 2], np.inf), r"features holds values that are not finite"),
    ],
)
def test_other_features_have_no_gaussian(features, message):
    with pytest.raises(ValueError, match=message):
        distances.Gaussian(features)


def test_two_rows_are_too_few_for_the_kernel_distances_error():
    with pytest.raises(ValueError, match=r"b has the shape \[2, 2\], but must be \[N, d\] with N >= 3"):
        distances.kernel_distance(np.zeros([3, 2]), np.zeros([2, 2]))


def test_gaussians_of_different_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"the Gaussians have 2 and 3 dimensions"):
        distances.Gaussian(np.eye(2)).distance(distances.Gaussian(np.eye(3)))
