"""Batches: which requests share one, and that each gets its own answer."""

import asyncio
import threading

import numpy as np
import pytest
from google.protobuf import text_format

from tf2cases.server import messages
from tf2cases.server.batching import Batcher, Parameters, Scheduler, threads
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.metrics import Metrics


class Double:
    """A model that doubles x, refuses batches with a 13, and notes what it was given."""

    def __init__(self):
        self.batches, self.go_on = [], threading.Event()
        self.go_on.set()

    def run(self, feeds, fetches):
        assert self.go_on.wait(10)
        self.batches.append({name: value.tolist() for name, value in feeds.items()})
        x = feeds["x"]
        if x.dtype != object and (x == 13).any():
            raise ServingError(Code.INVALID_ARGUMENT, "13 is spoiled")
        values = {"y": x * 2 if x.dtype != object else x + x, "scalar": np.float32(1), "short": x[1:]}
        return [values[name] for name in fetches]

    def sizes(self):
        return [len(batch["x"]) for batch in self.batches]


def batcher(model, workers=1, **parameters):
    return Batcher(model, Parameters(**parameters), Scheduler(workers), Metrics())


def x(*values):
    return {"x": np.array(values, np.float32)}


async def held(model, batch, *requests, then=lambda tasks: None):
    """Sends requests while a first one occupies the only thread; returns their answers or errors."""
    model.go_on.clear()
    first = asyncio.create_task(batch.run(x(0), ["y"]))
    await asyncio.sleep(0.05)
    tasks = [asyncio.create_task(batch.run(feeds, ["y"])) for feeds in requests]
    await asyncio.sleep(0.05)
    then(tasks)
    await asyncio.sleep(0)
    model.go_on.set()
    await first
    model.batches.pop(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [answer[0].tolist() if isinstance(answer, list) else answer for answer in answers]


def test_what_arrives_while_the_threads_are_busy_is_one_batch():
    model = Double()
    answers = asyncio.run(held(model, batcher(model), x(1), x(2, 3), x(4)))
    assert answers == [[2], [4, 6], [8]]
    assert model.sizes() == [4]


def test_an_idle_thread_does_not_wait_for_more():
    async def run():
        model = Double()
        (answer,) = await asyncio.wait_for(batcher(model).run(x(1), ["y"]), 5)
        assert answer.tolist() == [2]
        assert model.sizes() == [1]

    asyncio.run(run())


def test_rows_are_counted_not_requests():
    model = Double()
    answers = asyncio.run(held(model, batcher(model, max_batch_size=4), x(1, 1, 1), x(2, 2), x(3, 3)))
    assert answers == [[2] * 3, [4] * 2, [6] * 2]
    assert model.sizes() == [3, 4]


def test_batches_are_padded_to_an_allowed_size_with_the_first_row():
    model = Double()
    answers = asyncio.run(
        held(model, batcher(model, max_batch_size=8, allowed_batch_sizes=(1, 4, 8)), x(1), x(2), x(3))
    )
    assert answers == [[2], [4], [6]]
    assert model.batches == [{"x": [1, 2, 3, 1]}]


def test_large_requests_are_split_and_joined():
    async def run():
        model = Double()
        batch = batcher(model, max_batch_size=4, max_request_size=None, max_enqueued_batches=10)
        (answer,) = await batch.run(x(*range(10)), ["y"])
        assert answer.tolist() == [2 * i for i in range(10)]
        assert model.sizes() == [4, 4, 2]

    asyncio.run(run())


def test_too_large_requests_are_refused():
    async def run():
        with pytest.raises(ServingError, match="Task size 3 is larger than maximum input batch size 2") as caught:
            await batcher(Double(), max_batch_size=2, max_request_size=2).run(x(1, 2, 3), ["y"])
        assert caught.value.code == Code.INVALID_ARGUMENT

    asyncio.run(run())


def test_a_full_queue_refuses_further_requests():
    model = Double()
    answers = asyncio.run(held(model, batcher(model, max_batch_size=2, max_enqueued_batches=1), x(1), x(2), x(3), x(4)))
    assert answers[:2] == [[2], [4]]
    assert all(error.code == Code.UNAVAILABLE for error in answers[2:])
    assert "The batch scheduling queue to which this task was submitted is full" in str(answers[2])


def test_of_64_requests_with_a_spoiled_and_a_cancelled_one_62_are_answered():
    model = Double()
    requests = [x(13 if i == 20 else 100 + i) for i in range(64)]
    answers = asyncio.run(held(model, batcher(model), *requests, then=lambda tasks: tasks[40].cancel()))
    right = [answer for i, answer in enumerate(answers) if answer == [2 * (100 + i)]]
    assert len(right) == 62
    assert str(answers[20]) == "13 is spoiled"
    assert isinstance(answers[40], asyncio.CancelledError)
    assert model.sizes() == [63] + [1] * 63  # the cancelled one was never computed


def test_inputs_of_other_shapes_and_types_do_not_share_a_batch():
    model = Double()
    wide = {"x": np.ones([2, 3], np.float32)}
    strings = {"x": np.array([b"a"], object)}
    answers = asyncio.run(held(model, batcher(model), x(1), wide, x(2), {"x": np.float64([5])}, strings))
    assert answers == [[2], [[2] * 3] * 2, [4], [10], [b"aa"]]
    assert sorted(model.sizes()) == [1, 1, 2, 2]


def test_variable_lengths_share_a_batch_if_they_are_padded():
    model = Double()
    short, long = {"x": np.float32([[1, 2]])}, {"x": np.float32([[3, 4, 5]])}
    answers = asyncio.run(held(model, batcher(model, pad_variable_length_inputs=True), short, long))
    assert model.batches == [{"x": [[1, 2, 1], [3, 4, 5]]}]  # filled up with the first element
    assert answers == [[[2, 4, 2]], [[6, 8, 10]]]


@pytest.mark.parametrize(
    ("feeds", "fetch", "code", "text"),
    [
        ({}, "y", Code.INVALID_ARGUMENT, "must have at least one input tensor"),
        ({"x": np.float32(1)}, "y", Code.INVALID_ARGUMENT, "must have at least one dimension"),
        ({**x(1), "z": np.zeros(2)}, "y", Code.INVALID_ARGUMENT, "must have equal 0th-dimension size"),
        (x(1), "scalar", Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions"),
        (x(1), "short", Code.FAILED_PRECONDITION, "0th dimension does not equal the sum of the 0th dimension sizes"),
    ],
)
def test_what_cannot_be_batched_is_told(feeds, fetch, code, text):
    async def run():
        with pytest.raises(ServingError) as caught:
            await asyncio.wait_for(batcher(Double()).run(feeds, [fetch]), 5)
        assert (caught.value.code, text in caught.value.message) == (code, True)

    asyncio.run(run())


def test_an_empty_request_gets_an_empty_answer():
    async def run():
        (answer,) = await batcher(Double(), allowed_batch_sizes=(4,), max_batch_size=4).run(x(), ["y"])
        assert answer.shape == (0,)

    asyncio.run(run())


def test_models_take_turns_with_the_threads():
    async def run():
        busy, other, scheduler = Double(), Double(), Scheduler(1)
        one, two = (Batcher(model, Parameters(max_batch_size=1), scheduler, Metrics()) for model in (busy, other))
        busy.go_on.clear()
        tasks = [asyncio.create_task(one.run(x(i), ["y"])) for i in range(5)]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.create_task(two.run(x(7), ["y"])))
        await asyncio.sleep(0.05)
        busy.go_on.set()
        await tasks[-1]
        assert len(busy.batches) < 5
        await asyncio.gather(*tasks)

    asyncio.run(run())


def parameters(text):
    return Parameters.of(text_format.Parse(text, messages.BatchingParameters()))


def test_the_file_of_the_documentation_is_read():
    # The example of TF Serving's batching guide, and its defaults.
    text = "max_batch_size { value: 128 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 1000000 }"
    assert parameters(text) == Parameters(128, 128, 1000000)
    assert parameters("") == Parameters(1000, 1000, 10)
    message = text_format.Parse(
        "num_batch_threads { value: 8 } thread_pool_name { value: 'p' }", messages.BatchingParameters()
    )
    assert threads(message) == 8
    assert threads(messages.BatchingParameters()) >= 1


def test_splitting_follows_max_execution_batch_size():
    split = "enable_large_batch_splitting { value: true }"
    assert parameters(f"max_batch_size {{ value: 8 }} {split}") == Parameters(8, None, splitting=True)
    found = parameters(f"max_batch_size {{ value: 8 }} max_execution_batch_size {{ value: 2 }} {split}")
    assert found == Parameters(2, 8, splitting=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("allowed_batch_sizes: 4 allowed_batch_sizes: 2", "must be positive and rising"),
        ("allowed_batch_sizes: 4", "must match max_batch_size; last entry was 4, expected 1000"),
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("num_batch_threads { value: -1 }", "num_batch_threads must be positive; was -1"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
        (
            "max_batch_size { value: 4 } max_execution_batch_size { value: 8 } "
            "enable_large_batch_splitting { value: true }",
            "must not exceed max_batch_size",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused(text, error):
    with pytest.raises(ServingError, match=error):
        parameters(text)
