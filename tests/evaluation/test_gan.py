"""What an evaluation of a GAN computes besides the distances; the rest is tested through its program."""

import math

import pytest

from tf2cases.evaluation import gan


def test_entropy_by_hand():
    assert gan.entropy([5, 5, 5, 5]) == pytest.approx(math.log(4))
    assert gan.entropy([7, 0, 0]) == 0.0
    assert gan.entropy([1, 1, 2]) == pytest.approx(1.5 * math.log(2))
