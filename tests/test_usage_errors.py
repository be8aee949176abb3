"""What functions on values say becomes a usage error where a flag or file comes in."""

import pytest

from tf2cases.errors import RunError, UsageError, as_usage_error


def check(count):
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1.")


@pytest.mark.parametrize("prefix", ["--", "labels.json: "])
def test_a_value_error_becomes_a_usage_error_with_a_prefix(prefix):
    with pytest.raises(UsageError) as caught, as_usage_error(prefix):
        check(0)
    assert str(caught.value) == f"{prefix}count is 0, but must be at least 1."
    assert type(caught.value.__cause__) is ValueError
    with as_usage_error(prefix):
        check(1)


@pytest.mark.parametrize("error", [UsageError("a.csv is empty."), RunError("the disk is full."), TypeError("no")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, as_usage_error("--"):
        raise error
    assert caught.value is error
