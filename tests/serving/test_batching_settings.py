"""The settings for batching that come with an export: what is chosen for which measurement, and where they are used."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.serving import batching, card, verify
from tf2cases.serving.export import export


class Clock:
    """A clock that a model with given times per batch moves."""

    def __init__(self, seconds):
        self.now, self.seconds, self.runs = 0.0, seconds, []

    def __call__(self):
        return self.now

    def run(self, rows):
        self.runs.append(rows)
        self.now += self.seconds(rows)


def measured(seconds):
    clock = Clock(seconds)
    return batching.measure(clock.run, clock), clock


def test_a_fast_model_is_measured_at_every_size_ten_times_after_a_first_run():
    found, clock = measured(lambda rows: 0.001 + 0.0001 * rows)
    assert found == pytest.approx({size: 0.001 + 0.0001 * size for size in (1, 2, 4, 8, 16, 32, 64)})
    assert [clock.runs.count(size) for size in found] == [12, *[11] * 6]
    assert clock.now < 2


@pytest.mark.parametrize("per_row", [0.003, 0.04, 0.5])
def test_the_measurement_ends_after_two_seconds(per_row):
    found, clock = measured(lambda rows: per_row * rows)
    assert clock.now < 2.2 + per_row
    assert found == pytest.approx({size: per_row * size for size in found})


def test_one_row_is_measured_however_long_it_takes():
    found, clock = measured(lambda rows: 100.0 * rows)
    assert found == {1: 100.0}
    assert clock.runs == [1, 1, 1]


def test_sizes_that_need_much_memory_are_left_out(monkeypatch):
    used = iter([1, 1, 1.1, 1.3, 1.6])  # gigabytes: before, and before each size after the first
    monkeypatch.setattr(batching, "_peak_bytes", lambda: next(used) * 2**30)
    assert list(measured(lambda rows: 0.001)[0]) == [1, 2, 4, 8]


def test_the_smallest_size_within_five_percent_of_the_best_is_chosen():
    rates = {1: 100, 2: 190, 4: 300, 8: 380, 16: 400, 32: 399, 64: 300}
    assert batching.choose({size: size / rate for size, rate in rates.items()}).batch_size == 8  # 380 = 0.95 * 400
    rates[8] = 379
    assert batching.choose({size: size / rate for size, rate in rates.items()}).batch_size == 16


def test_a_batch_waits_as_long_as_one_row_takes_but_at_most_ten_milliseconds():
    assert batching.choose({1: 0.0021, 2: 0.0022}).timeout_micros == 2100
    assert batching.choose({1: 0.5, 2: 0.6}).timeout_micros == 10_000
    assert batching.choose({1: 0.5, 2: 1.0}).timeout_micros == 0  # nothing to wait for: the batch size is 1


def parsed(text, tmp_path):
    """The settings as the server reads them."""
    from tf2cases.server import batching as server
    from tf2cases.server import messages

    (tmp_path / "file").write_text(text)
    message = messages.read(str(tmp_path / "file"), messages.BatchingParameters())
    return message, server.Parameters.of(message)


@pytest.mark.parametrize("size", [1, 8, 64])
def test_the_server_reads_them_and_splits_large_requests(tmp_path, size):
    message, parameters = parsed(batching.Settings(size, 1234, "A note.").text(), tmp_path)
    assert (parameters.max_batch_size, parameters.max_request_size, parameters.splitting) == (size, 1000, True)
    assert parameters.max_enqueued_batches * size >= 2000
    assert message.batch_timeout_micros.value == 1234
    assert message.num_batch_threads.value == os.cpu_count()


def test_common_settings_are_the_smallest():
    some = [batching.Settings(8, 500, ""), batching.Settings(2, 900, "")]
    assert (batching.common(some).batch_size, batching.common(some).timeout_micros) == (2, 500)
    assert batching.common([]).batch_size == 32


def test_an_export_brings_its_measured_settings_along(exported, tmp_path):
    _, _, path = exported
    with open(os.path.join(path, batching.PATH)) as file:
        text = file.read()
    assert text.startswith("# Rows per second, by rows per batch: ")
    _, parameters = parsed(text, tmp_path)
    assert parameters.max_batch_size in (1, 2, 4, 8, 16, 32, 64)


def test_the_settings_may_be_edited_added_and_removed(tmp_path, monkeypatch):
    def checked_and_measured(directory, path, tolerance):
        verify.compare(directory, path, tolerance)
        verify.write_batching(directory, path)

    monkeypatch.setattr(verify, "in_fresh_process", checked_and_measured)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(x):
        return {"y": x * 2}

    rows = {"serving_default": {"x": np.array([[1, 2], [3, 4]], np.float32)}}
    path = export({"serving_default": serve}, rows, tmp_path, facts={"identity": "run 10"})
    file = os.path.join(path, batching.PATH)
    assert os.path.exists(file)
    assert card.check(path)
    with open(file, "a") as opened:
        opened.write("# edited\n")
    assert card.check(path)
    assert export({"serving_default": serve}, rows, tmp_path, facts={"identity": "run 10"}) == path
    os.remove(file)
    assert card.check(path)
    assert export({"serving_default": serve}, rows, tmp_path, facts={"identity": "run 10"}) == path
