"""A clock that counts training only."""

import pytest

from tf2cases.training.clock import Clock, duration


class Time:
    """A time that stands still until it is told to go on."""

    now = 100.0

    def __call__(self):
        return self.now


def test_the_first_call_which_compiles_does_not_count_as_training_speed():
    clock = Clock(Time())
    assert clock.steps_per_second() == 0.0
    clock.ran(1, 9.0)
    assert clock.steps_per_second() == 0.0
    clock.ran(10, 2.0)
    clock.ran(30, 2.0)
    assert clock.steps_per_second() == 10.0


def test_calls_are_as_long_as_the_last_one_tells_and_one_step_at_least():
    clock = Clock(Time())
    assert clock.steps_in(0.5) == 1
    clock.ran(1, 9.0)
    assert clock.steps_in(0.5) == 1
    clock.ran(4, 0.2)
    assert clock.steps_in(0.5) == 10


def test_shares_of_the_time_are_of_everything_since_the_start():
    time = Time()
    clock = Clock(time)
    time.now += 10
    clock.loaded()
    time.now += 90
    clock.ran(5, 30.0)
    clock.ran(5, 20.0)
    assert clock.elapsed() == 100
    assert clock.shares().startswith("Time 1:40: 10% getting the data ready, 50% training, ")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3599, "59:59"), (7265, "2:01:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
