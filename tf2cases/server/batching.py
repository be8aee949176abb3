"""Joins the requests that arrive while the threads are busy into batches.

Requests for the same outputs, whose inputs have the same dtypes and the same shapes apart from the number of rows,
share a queue. A thread that is idle takes what is there, up to the batch size, and never waits for more. (So there is
no need for `batch_timeout_micros`, which bounds the real server's waiting.) If a batch fails, its requests are run one
by one, so that each gets its own answer or error.
"""

import asyncio
import collections
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.metrics import Metrics
from tf2cases.server.saved_model import SavedModel

FILE = "batching_params.pbtxt"  # in a version's folder, see --enable_per_model_batching_parameters


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What a BatchingParameters message says, with the real server's defaults.

    Attributes:
      max_batch_size: rows per batch.
      max_request_size: rows per request; None for any number.
      max_enqueued_batches: batches of rows that may wait per queue.
      allowed_batch_sizes: ascending; a batch is padded to the next of them. Empty for any size.
      pad_variable_length_inputs: whether inputs of different shapes share a batch, padded to the largest.
      splitting: whether requests of more than `max_batch_size` rows are split.
    """

    max_batch_size: int = 1000
    max_request_size: int | None = 1000
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    splitting: bool = False

    @classmethod
    def of(cls, message: Any) -> "Parameters":
        """Reads a message.

        Large requests are split into `max_execution_batch_size` rows. With that field, a request may have at most
        `max_batch_size` rows, as in the real server. Without it, batches have at most `max_batch_size` rows, and
        requests any number.

        Raises:
          ServingError: INVALID_ARGUMENT, numbers that do not fit together.
        """
        sizes = {
            name: getattr(message, name).value
            for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads", "max_execution_batch_size")
            if message.HasField(name)
        }
        for name, value in sizes.items():
            if value < 1:
                raise ServingError(Code.INVALID_ARGUMENT, f"{name} must be positive; was {value}")
        if message.batch_timeout_micros.value < 0:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"batch_timeout_micros must be non-negative; was {message.batch_timeout_micros.value}",
            )
        most = sizes.get("max_batch_size", cls.max_batch_size)
        splitting = message.enable_large_batch_splitting.value
        size, limit = most, most if not splitting or "max_execution_batch_size" in sizes else None
        if splitting:
            size = sizes.get("max_execution_batch_size", most)
            if size > most:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"When enable_large_batch_splitting is true, max_execution_batch_size ({size}) must not exceed "
                    f"max_batch_size ({most})",
                )
        allowed = tuple(message.allowed_batch_sizes)
        if allowed and (list(allowed) != sorted(set(allowed)) or allowed[0] < 1):
            raise ServingError(
                Code.INVALID_ARGUMENT, f"allowed_batch_sizes entries must be positive and rising; were {list(allowed)}"
            )
        if allowed and allowed[-1] != size:
            what = "max_execution_batch_size" if splitting else "max_batch_size"
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Last entry in allowed_batch_sizes must match {what}; last entry was {allowed[-1]}, expected {size}",
            )
        waiting = sizes.get("max_enqueued_batches", cls.max_enqueued_batches)
        return cls(size, limit, waiting, allowed, message.pad_variable_length_inputs, splitting)


def threads(message: Any) -> int:
    """How many threads run batches: `num_batch_threads`, by default the number of processors."""
    return message.num_batch_threads.value if message.HasField("num_batch_threads") else os.cpu_count() or 1


@dataclasses.dataclass(eq=False)
class _Task:
    """Rows that are run together: a request, or a piece of one that was split."""

    feeds: Mapping[str, np.ndarray]
    rows: int
    answer: asyncio.Future


class _Queue:
    """Requests that may share a batch."""

    def __init__(self, batcher: "Batcher", key: tuple, fetches: tuple[str, ...]):
        self.batcher, self.key, self.fetches = batcher, key, fetches
        self.tasks: collections.deque[_Task] = collections.deque()

    @property
    def rows(self) -> int:
        return sum(task.rows for task in self.tasks)

    def take(self) -> list[_Task]:
        """The next batch, without requests that were given up."""
        batch: list[_Task] = []
        room = self.batcher.parameters.max_batch_size
        while self.tasks and (self.tasks[0].answer.done() or self.tasks[0].rows <= room):
            task = self.tasks.popleft()
            if not task.answer.done():
                batch.append(task)
                room -= task.rows
        return batch


class Scheduler:
    """The threads that run the batches of all models."""

    def __init__(self, count: int):
        self._executor = ThreadPoolExecutor(count, "batch")
        self._idle = count
        self._ready: collections.OrderedDict[tuple, _Queue] = collections.OrderedDict()
        self._called = False

    def queue(self, batcher: "Batcher", key: tuple, fetches: tuple[str, ...]) -> _Queue:
        """The queue of a key; queues last as long as they hold something."""
        key = (batcher, *key)
        if key not in self._ready:
            self._ready[key] = _Queue(batcher, key, fetches)
        return self._ready[key]

    def wake(self) -> None:
        """Hands out batches soon: first, the loop reads the other requests that have arrived."""
        if not self._called and self._idle:
            self._called = True
            asyncio.get_running_loop().call_soon(self._hand_out)

    def close(self) -> None:
        self._executor.shutdown(wait=False)

    def _hand_out(self) -> None:
        self._called = False
        while self._idle and self._ready:
            key, queue = self._ready.popitem(last=False)
            batch = queue.take()
            if queue.tasks:
                self._ready[key] = queue  # behind the others
            if batch:
                self._idle -= 1
                computing = asyncio.get_running_loop().run_in_executor(
                    self._executor, queue.batcher.compute, batch, queue.fetches
                )
                computing.add_done_callback(functools.partial(self._ended, batch))

    def _ended(self, batch: list[_Task], done: asyncio.Future) -> None:
        self._idle += 1
        error = done.exception()
        results: Sequence[Any] = [error] * len(batch) if error else done.result()
        for task, result in zip(batch, results, strict=True):
            if task.answer.done():
                continue
            if isinstance(result, BaseException):
                task.answer.set_exception(result)
            else:
                task.answer.set_result(result)
        self._hand_out()


class Batcher:
    """Runs the requests of one loaded version in batches; see `execution.Runner`."""

    def __init__(self, model: SavedModel, parameters: Parameters, scheduler: Scheduler, metrics: Metrics):
        self.parameters = parameters
        self._model, self._scheduler, self._metrics = model, scheduler, metrics

    async def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """See `Runner`.

        Raises:
          ServingError: also INVALID_ARGUMENT, the inputs have no equal numbers of rows or too many; UNAVAILABLE, the
            queue is full.
        """
        rows, most = _rows(feeds), self.parameters.max_request_size
        if most is not None and rows > most:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Task size {rows} is larger than maximum input batch size {most}"
            )
        self._metrics.batch_input.add(rows)
        key = (tuple(fetches), *((name, value.dtype.str, self._shape(value)) for name, value in feeds.items()))
        queue = self._scheduler.queue(self, key, tuple(fetches))
        size = self.parameters.max_batch_size
        if queue.rows + rows > size * self.parameters.max_enqueued_batches and queue.tasks:
            raise ServingError(Code.UNAVAILABLE, "The batch scheduling queue to which this task was submitted is full")
        loop, tasks = asyncio.get_running_loop(), []
        for start in range(0, max(rows, 1), size):
            part = feeds if rows <= size else {name: value[start : start + size] for name, value in feeds.items()}
            tasks.append(_Task(part, min(size, rows - start), loop.create_future()))
        queue.tasks.extend(tasks)
        self._scheduler.wake()
        if len(tasks) == 1:
            return await tasks[0].answer
        answers = await asyncio.gather(*(task.answer for task in tasks))
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def compute(self, batch: Sequence[_Task], fetches: Sequence[str]) -> list[list[np.ndarray] | ServingError]:
        """The values for each request of a batch, or its error. Runs in a thread."""
        try:
            return list(self._computed(batch, fetches))
        except ServingError as error:
            if len(batch) == 1:
                return [error]
        except MemoryError:
            return [ServingError(Code.RESOURCE_EXHAUSTED, "out of memory")] * len(batch)
        return [self.compute([task], fetches)[0] for task in batch]

    def _computed(self, batch: Sequence[_Task], fetches: Sequence[str]) -> list[list[np.ndarray]]:
        rows = sum(task.rows for task in batch)
        size = next((allowed for allowed in self.parameters.allowed_batch_sizes if allowed >= rows), rows)
        size = size if rows else 0
        feeds = {name: _joined([task.feeds[name] for task in batch], size) for name in batch[0].feeds}
        self._metrics.batch_processed.add(size)
        self._metrics.batch_padding.add(size - rows, str(size))
        values = self._model.run(feeds, fetches)
        for value in values:
            if not value.ndim:
                raise ServingError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
            if len(value) != size:
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                    "input tensors",
                )
        answers, start = [], 0
        for task in batch:
            answers.append([value[start : start + task.rows] for value in values])
            start += task.rows
        return answers

    def _shape(self, value: np.ndarray) -> tuple[int, ...]:
        """What the shapes of inputs in one batch have in common."""
        return (value.ndim,) if self.parameters.pad_variable_length_inputs else value.shape[1:]


def _rows(feeds: Mapping[str, np.ndarray]) -> int:
    if not feeds:
        raise ServingError(Code.INVALID_ARGUMENT, "Batching Run() must have at least one input tensor")
    if not all(value.ndim for value in feeds.values()):
        raise ServingError(Code.INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension")
    rows = {len(value) for value in feeds.values()}
    if len(rows) > 1:
        raise ServingError(Code.INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size")
    return rows.pop()


def _joined(values: list[np.ndarray], size: int) -> np.ndarray:
    """The rows of several arrays, filled up to a number of rows with copies of the first."""
    rows = sum(map(len, values))
    if len(values) == 1 and rows == size:
        return values[0]
    dimensions = tuple(max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True))
    if any(value.shape[1:] != dimensions for value in values):
        values = [_widened(value, dimensions) for value in values]
    return np.concatenate([*values, *[values[0][:1]] * (size - rows)])


def _widened(value: np.ndarray, dimensions: tuple[int, ...]) -> np.ndarray:
    """An array filled up to larger dimensions with its first element."""
    if not value.size:
        raise ServingError(Code.INVALID_ARGUMENT, "Got an empty tensor with zero elements, which cannot be padded")
    filled = np.full((len(value), *dimensions), value.flat[0], value.dtype)
    filled[tuple(slice(size) for size in value.shape)] = value
    return filled
