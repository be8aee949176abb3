"""Parallel work in threads, for code that releases the interpreter lock while it computes, as Pillow and NumPy do."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def default_workers() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int = 2
) -> Iterator[tuple[_Item, _Result]]:
    """Yields (item, work(item)) for each item, in order.

    There is one thread per processor. Besides the items they work on, at most `ahead` more are queued or done, so that
    neither items nor results pile up. The thread that iterates over this generator also iterates over `items`.

    Raises:
      Whatever `work` or `items` raise.
    """
    workers = default_workers()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    under_way: collections.deque = collections.deque()
    try:
        for item in items:
            under_way.append((item, pool.submit(work, item)))
            if len(under_way) >= workers + ahead:
                item, future = under_way.popleft()
                yield item, future.result()
        for item, future in under_way:
            yield item, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
