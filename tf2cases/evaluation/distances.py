"""Two distances between sets of feature vectors, computed in float64.

Both compare the features of generated pictures with those of real ones. For two sets from the same distribution the
Frechet distance vanishes only in the limit of many rows (it is never negative, and positive for any two finite
samples), and the kernel distance on average for any number of rows (so it is sometimes negative).
"""

import math
from typing import Any, TypeAlias

import tensorflow as tf

_Features: TypeAlias = Any  # float [N, d], an array or a tensor

# Elements of the kernel matrix in memory at a time: 64 MB.
_BLOCK_ELEMENTS = 2**23


class Gaussian:
    """The normal distribution with the mean and the unbiased covariance of some features.

    Args:
      features: [N, d], N >= 2, of any float or integer dtype.

    Attributes:
      mean: float64 [d].
      factor: float64 [k, d], k <= d; the covariance is factor^T factor, which may be singular.

    Raises:
      ValueError: the shape is wrong, or values are not finite.
    """

    def __init__(self, features: _Features):
        features = _checked("features", features, 2)
        self.mean = tf.reduce_mean(features, axis=0)
        # The triangular factor of a QR decomposition, computed without forming the covariance.
        self.factor = tf.linalg.qr((features - self.mean) / math.sqrt(len(features) - 1)).r

    def distance(self, other: "Gaussian") -> float:
        """The squared Frechet (2-Wasserstein) distance to another Gaussian, at least 0.

        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); Dowson and Landau 1982, J. Multivariate Analysis 12, equation 4.
        Between Gaussians fitted to features of Inception-v3 it is the FID of Heusel et al. 2017, arXiv 1706.08500,
        section 4. It is larger for smaller sets, so compare only distances between sets of equal sizes.

        The trace of the root is the sum of the singular values of F1 F2^T, with C = F^T F. This needs no matrix square
        root, so covariances without full rank lose no digits.

        Raises:
          ValueError: the dimensions differ.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                f"the Gaussians have {self.mean.shape[0]} and {other.mean.shape[0]} dimensions, but must agree."
            )
        across = tf.matmul(self.factor, other.factor, transpose_b=True)
        shared = tf.reduce_sum(tf.linalg.svd(across, compute_uv=False))
        spread = tf.reduce_sum(self.factor**2) + tf.reduce_sum(other.factor**2) - 2 * shared
        return float(tf.reduce_sum((self.mean - other.mean) ** 2) + tf.maximum(spread, 0.0))


def kernel_distance(a: _Features, b: _Features) -> tuple[float, float]:
    """The squared maximum mean discrepancy with the kernel (x . y / d + 1)^3, unbiased, and its standard error.

    Binkowski et al. 2018, arXiv 1801.01401, section 4 (KID), over all pairs of rows instead of subsets: the mean of the
    kernel over pairs of different rows of `a`, plus the same for `b`, minus twice its mean over all pairs of a row of
    `a` and a row of `b`.

    The standard error is a jackknife estimate from the values with each row left out in turn, which follow from the
    sums of the kernel matrix. On average it is too large rather than too small (Efron and Stein 1981, Annals of
    Statistics 9): correct if the sets differ, and up to sqrt(2) times too large if they do not.

    Time grows with (N + M)^2 d; memory does not grow with N M.

    Args:
      a: features [N, d], N >= 3, of any float or integer dtype.
      b: features [M, d], M >= 3.

    Returns:
      The value, which may be below 0, and its standard error.

    Raises:
      ValueError: the shapes are wrong, or values are not finite.
    """
    a, b = _checked("a", a, 3), _checked("b", b, 3)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features per row and b has {b.shape[1]}, but they must agree.")
    n, m = len(a), len(b)
    within_a, within_b = _row_sums(a, a, same=True)[0], _row_sums(b, b, same=True)[0]
    across_a, across_b = _row_sums(a, b, same=False)
    total = tf.reduce_sum
    value = total(within_a) / (n * (n - 1)) + total(within_b) / (m * (m - 1)) - 2 * total(across_a) / (n * m)
    variance = 0.0
    for within, across, count, others in ((within_a, across_a, n, m), (within_b, across_b, m, n)):
        # The value without row i, up to a constant.
        left = (total(within) - 2 * within) / ((count - 1) * (count - 2))
        left -= 2 * (total(across) - across) / ((count - 1) * others)
        variance += (count - 1) * float(tf.math.reduce_variance(left))
    return float(value), math.sqrt(variance)


def _row_sums(a: tf.Tensor, b: tf.Tensor, same: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Sums over the rows and the columns of the kernel matrix [N, M], computed one block of rows at a time.

    For one set with itself (`same`), the diagonal is left out.
    """
    rows, columns = [], tf.zeros([len(b)], tf.float64)
    step = max(1, _BLOCK_ELEMENTS // len(b))
    for first in range(0, len(a), step):
        block = tf.matmul(a[first : first + step], b, transpose_b=True) / a.shape[1] + 1
        block *= block * block  # ten times as fast as a power
        if same:
            block = tf.linalg.set_diag(block, tf.zeros([len(block)], tf.float64), k=first)
        rows.append(tf.reduce_sum(block, axis=1))
        columns += tf.reduce_sum(block, axis=0)
    return tf.concat(rows, axis=0), columns


def _checked(name: str, features: _Features, least: int) -> tf.Tensor:
    """Validates features and returns them as a float64 tensor [N, d]."""
    features = tf.convert_to_tensor(features)
    if len(features.shape) != 2 or features.shape[0] < least or not features.shape[1]:
        raise ValueError(
            f"{name} has the shape {list(features.shape)}, but must be [N, d] with N >= {least} and d >= 1."
        )
    features = tf.cast(features, tf.float64)
    if not tf.reduce_all(tf.math.is_finite(features)):
        raise ValueError(f"{name} holds values that are not finite, but all must be.")
    return features
