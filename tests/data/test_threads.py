"""Work shared among threads."""

import threading

import pytest

from tf2cases.data import threads


def test_results_come_in_order_whoever_is_first():
    release = threading.Event()

    def work(item):
        if item == 0:
            assert release.wait(10)
        elif item == 1:
            release.set()
        return item * item

    assert list(threads.in_order(work, range(50))) == [(i, i * i) for i in range(50)]


def test_does_not_run_far_ahead(monkeypatch):
    monkeypatch.setattr(threads, "default_workers", lambda: 2)
    taken = []
    results = threads.in_order(str, (taken.append(i) or i for i in range(50)))
    next(results)
    assert len(taken) == 4


def test_errors_arrive():
    def work(item):
        raise KeyError(item)

    with pytest.raises(KeyError, match="7"):
        list(threads.in_order(work, [7, 8]))


def test_nothing_to_do():
    assert list(threads.in_order(str, [])) == []
