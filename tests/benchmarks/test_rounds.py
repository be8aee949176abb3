"""How contenders are measured in turn, and the table of the results."""

import pytest

from tf2cases.benchmarks import rounds


def test_contenders_take_turns_and_none_always_goes_first():
    called, numbers = [], iter(range(100))
    contenders = {name: lambda name=name: called.append(name) or (float(next(numbers)),) for name in "abc"}
    told = []
    measured = rounds.interleaved(contenders, 3, lambda number, so_far: told.append((number, len(so_far["a"]))))
    assert "".join(called) == "abccbaabc"
    assert measured == {"a": [(0.0,), (5.0,), (6.0,)], "b": [(1.0,), (4.0,), (7.0,)], "c": [(2.0,), (3.0,), (8.0,)]}
    assert told == [(1, 1), (2, 2), (3, 3)]


def test_work_is_timed_by_the_clock_and_by_the_processor(monkeypatch):
    clock, processor = iter([10.0, 12.0]), iter([1.0, 1.5])
    monkeypatch.setattr(rounds.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(rounds.time, "process_time", lambda: next(processor))
    assert rounds.timed(lambda: 100) == (50.0, 5.0, 2.0)


@pytest.mark.parametrize(("seconds", "calls"), [(0.5, 1), (2.5, 3)])
def test_work_is_repeated_until_the_time_is_over_at_least_once(seconds, calls, monkeypatch):
    clock, called = iter(range(100)), []
    monkeypatch.setattr(rounds.time, "perf_counter", lambda: next(clock))
    rate, _, taken = rounds.timed(lambda: called.append(1) or 8, seconds)
    assert (rate, taken) == (8.0, calls)
    assert len(called) == calls


def test_the_table_has_medians_and_ratios_by_round(capsys):
    measured = {"ours": [(10.0, 1.0), (30.0, 2.0), (20.0, 4.0)], "bare": [(5.0, 2.0), (10.0, 2.0), (40.0, 2.0)]}
    rounds.show(measured, [("rows/s", ",.0f"), ("CPU ms/row", ".1f")], compared=("ours", "bare"))
    assert capsys.readouterr().out.splitlines() == [
        "  ours  20 [10 .. 30] rows/s  2.0 [1.0 .. 4.0] CPU ms/row",
        "  bare  10 [5 .. 40] rows/s  2.0 [2.0 .. 2.0] CPU ms/row",
        "  ours / bare: rows/s 2.00 [0.50 .. 3.00], CPU ms/row 1.00 [0.50 .. 2.00]",
    ]
