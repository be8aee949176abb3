"""The loop: resuming, stopping, tracing, reporting."""

import errno
import json
import os
import re
import signal

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.cases import DCGAN, MNIST, VAE, DenoisingAutoencoder, LinearRegression
from tf2cases.data import pipeline, sources
from tf2cases.data.source import Source
from tf2cases.errors import RunError, UsageError
from tf2cases.training import loop
from tf2cases.training.reporting import Reporter


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it is run but what closes files."""


def kill():
    raise Killed


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


TOY = dict(epochs=4, log_every=3, eval_every=4, checkpoint_every=5)  # 18 steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory, runs_in, toy_class):
    """The folder of an uninterrupted run with TOY."""
    runs = runs_in(tmp_path_factory.mktemp("whole"))
    return runs.train(toy_class, **TOY).workdir


@pytest.fixture
def few_digits(monkeypatch):
    """The embedded digits, 300 of them to train on and 100 to test."""
    full = sources.load("mnist_sample")
    few = {name: {k: a[:n] for k, a in full.splits[name].items()} for name, n in (("train", 300), ("test", 100))}
    for case in (MNIST, VAE):
        monkeypatch.setattr(case, "load", lambda config: Source("mnist_sample", few, full.info))


# Resuming


@pytest.mark.parametrize(
    ("how", "step"),
    [(kill, 4), (kill, 5), (kill, 12), (kill, 18), (terminate, 1), (terminate, 5), (terminate, 12), (terminate, 18)],
)
def test_a_run_that_was_stopped_at_any_step_ends_like_an_uninterrupted_one(runs, toy, whole, at_step, how, step):
    at_step(step, how)
    if how is kill:
        with pytest.raises(Killed):
            runs.train(toy, "parts", **TOY)
    else:
        result = runs.train(toy, "parts", **TOY)
        assert (result.step, result.stopped_by, result.exit_status) == (step, signal.SIGTERM, 143)
        assert runs.checkpoints("parts")[-1] == step
    at_step()
    result = runs.train(toy, "parts", **TOY)
    assert (result.step, result.stopped_by, result.exit_status) == (18, None, 0)
    runs.assert_identical("parts", whole)


@pytest.mark.parametrize(
    ("case", "given"),
    [
        (LinearRegression, dict(steps=20, log_every=5, eval_every=5, checkpoint_every=6)),
        (LinearRegression, dict(steps=20, batch_size=10, log_every=5, eval_every=5, checkpoint_every=6)),
        (MNIST, dict(steps=14, model="mlp", batch_size=50, schedule="cosine", warmup_steps=3, ema=0.9)),
        (MNIST, dict(steps=10, model="cnn", batch_size=40, augment=True, clip_norm=1.0)),
        (VAE, dict(steps=10, batch_size=40, recipe="best", binarize="dynamic", iwae=2, dataset="mnist_sample")),
        (DenoisingAutoencoder, dict(steps=10, batch_size=40, dataset="mnist_sample")),
        (DCGAN, dict(steps=8, batch_size=8, ema=0.9, sample_every=3, dataset="mnist_sample", keep_checkpoints="3")),
    ],
    ids=["linear regression", "linear regression in batches", "mlp", "cnn", "vae", "autoencoder", "dcgan"],
)
def test_every_case_that_was_killed_ends_like_an_uninterrupted_run(
    runs, few_digits, at_step, deterministic, case, given
):
    given = dict(log_every=2, eval_every=6, checkpoint_every=4, deterministic=True) | given
    runs.train(case, "whole", **given)
    at_step(7, kill)
    with pytest.raises(Killed):
        runs.train(case, "parts", **given)
    assert 0 < runs.checkpoints("parts")[-1] < 7
    at_step()
    runs.train(case, "parts", **given)
    runs.assert_identical("parts", "whole")


def test_how_the_steps_are_cut_into_calls_changes_nothing(runs, toy, whole, monkeypatch):
    monkeypatch.setattr(loop, "_SECONDS_PER_CALL", 0)  # one step a call
    runs.train(toy, "short", **TOY)
    runs.assert_identical("short", whole)


def test_a_longer_run_goes_on_from_the_shorter_ones_end(runs, toy):
    runs.train(toy, "long", steps=12)
    runs.train(toy, "short", steps=7)
    runs.train(toy, "short", steps=12)
    long, short = runs.variables("long"), runs.variables("short")
    for key in long:
        if "progress" not in key:
            np.testing.assert_array_equal(short[key], long[key])


def test_a_finished_run_is_only_evaluated(runs, toy, capsys):
    first = runs.train(toy, steps=6)
    before = runs.records()
    again = runs.train(toy, steps=6)
    assert (again.step, again.values, again.examples_per_second) == (6, first.values, 0.0)
    assert toy.executions == 1
    assert runs.records() == before
    assert "resuming from step 6" in capsys.readouterr().out


def test_a_damaged_newest_checkpoint_costs_only_the_steps_since_the_one_before(runs, toy, whole, at_step):
    at_step(12, kill)
    with pytest.raises(Killed):
        runs.train(toy, "parts", **TOY)
    newest = runs.path / "parts" / "checkpoints" / "step_00000010"
    next(newest.glob("*.data*")).write_bytes(b"")
    at_step()
    runs.train(toy, "parts", **TOY)
    runs.assert_identical("parts", whole)


def test_overwrite_starts_anew(runs, toy):
    runs.train(toy, "once", steps=6, seed=2)
    runs.train(toy, "twice", steps=9, seed=1)
    runs.train(toy, "twice", steps=6, seed=2, overwrite=True)
    runs.assert_identical("twice", "once")


def test_the_seed_decides_the_numbers(runs, toy):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        runs.train(toy, name, steps=6, seed=seed, log_every=1)
    runs.assert_identical("a", "b")
    assert not np.array_equal(runs.losses("a"), runs.losses("c"))


def test_a_mistake_found_before_the_first_step_does_not_claim_the_workdir(runs, toy):
    with pytest.raises(UsageError, match="warmup_steps is 9"):
        runs.train(toy, steps=6, warmup_steps=9)
    assert not (runs.path / "run").exists()
    assert runs.train(toy, steps=6, warmup_steps=2).step == 6


# Stopping


def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(runs, toy, at_step, capsys):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    at_step(7, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = runs.train(toy, steps=20)
    assert (result.step, result.values, result.exit_status) == (7, {}, 130)
    assert runs.checkpoints()[-1] == 7
    assert "SIGINT: saved at step 7; the same command resumes from there.\n" in capsys.readouterr().out
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_after_overwriting_the_way_to_go_on_is_without_it(runs, toy, at_step, capsys):
    at_step(3, terminate)
    runs.train(toy, steps=20, overwrite=True)
    expected = "SIGTERM: saved at step 3; the same command resumes from there (without --overwrite).\n"
    assert expected in capsys.readouterr().out


def test_a_second_interrupt_ends_the_program_at_once(runs, toy, at_step):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    at_step(7, twice)
    with pytest.raises(KeyboardInterrupt):
        runs.train(toy, steps=20)
    assert 7 not in runs.checkpoints()


def test_a_loss_that_is_not_finite_stops_the_run_with_its_step_and_nothing_later_is_kept(runs, toy):
    class Poisoned(toy):
        def prepare(self, batch):
            poison = tf.where(self.step == 6, float("nan"), 1.0)  # the seventh step
            return batch | {"features": batch["features"] * poison}

    message = (
        r"^the metrics became infinite or NaN at step 7; the last checkpoint is of step 5, and a lower --learning_rate"
        r"( or a --clip_norm)? may help, with --overwrite to start over\.$"
    )
    for _ in range(2):  # starting again ends in the same place
        with pytest.raises(RunError, match=message):
            runs.train(Poisoned, steps=20, checkpoint_every=5, log_every=1)
        assert runs.checkpoints() == [5]
        assert [r["step"] for r in runs.records(split="train")] == [1, 2, 3, 4, 5, 6]


def test_a_loss_that_is_not_finite_before_the_first_checkpoint_says_so(runs, toy):
    class Poisoned(toy):
        def prepare(self, batch):
            return batch | {"features": batch["features"] * float("inf")}

    with pytest.raises(
        RunError, match=r"^the metrics became infinite or NaN at step 1; no checkpoint was saved yet, and a lower"
    ):
        runs.train(Poisoned, steps=20)


def test_a_diverging_run_stops_at_the_step_at_which_float32_overflows(runs):
    table = sources.load("houses")
    rows = np.column_stack([table.train["features"], table.train["targets"]]).astype(np.float64)
    rows = ((rows - rows.mean(axis=0)) / rows.std(axis=0, ddof=1)).astype(np.float32)
    x, y = np.column_stack([np.ones(47), rows[:, :-1]]).astype(np.float32), rows[:, -1:]
    weights, loss, step = np.zeros([3, 1], np.float32), np.float32(0), 0
    with np.errstate(over="ignore", invalid="ignore"):
        while np.isfinite(loss):
            step += 1
            weights -= np.float32(1e3) * (x.T @ (x @ weights - y) / 47)
            loss = np.sum(np.square(x @ weights - y)) / 94
    assert 3 < step < 20
    with pytest.raises(
        RunError, match=rf"infinite or NaN at step {step}; the last checkpoint is of step {step - 1}, and"
    ):
        runs.train(LinearRegression, learning_rate=1e3, checkpoint_every=1)


# A full disk


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_saving_keeps_the_checkpoint_before(runs, toy, whole, monkeypatch):
    write, calls = tf.train.Checkpoint.write, []

    def third_fails(self, *args):
        calls.append(args)
        return no_space() if len(calls) == 3 else write(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(tf.train.Checkpoint, "write", third_fails)
        with pytest.raises(
            RunError,
            match=r"^the checkpoint of step 15 could not be written to .*: No space left on "
            r"device; the previous one, of step 10, is intact\.$",
        ):
            runs.train(toy, "parts", **TOY)
    assert runs.checkpoints("parts") == [5, 10]
    runs.train(toy, "parts", **TOY)
    runs.assert_identical("parts", whole)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "a\n\tb\n\tCould not flush."),
    ],
)
@pytest.mark.parametrize("place", ["scalar", "image", "graph"])
def test_a_full_disk_while_reporting_is_one_sentence(runs, toy, monkeypatch, error, place):
    def full(*args, **kwargs):
        raise error

    monkeypatch.setattr(tf.summary, place, full)
    message = r"^\S+run could not be written: No space left on device; what was saved before is intact\.$"
    with pytest.raises(RunError, match=message):
        runs.train(toy, **TOY)


def test_what_failed_first_is_told_when_closing_the_reports_fails_too(runs, toy, monkeypatch):
    close = Reporter.close

    def failing(self):
        close(self)
        raise RunError("closing")

    monkeypatch.setattr(Reporter, "close", failing)
    monkeypatch.setattr(tf.train.Checkpoint, "write", no_space)
    with pytest.raises(RunError, match=r"^the checkpoint of step 5 could not be written"):
        runs.train(toy, **TOY)


# Tracing, memory, compilation, data that are read


@pytest.mark.parametrize("given", [{}, {"jit": "on"}, {"batch_size": 22}])
def test_a_step_is_traced_once_in_a_whole_run(runs, toy, given):
    runs.train(toy, **TOY, **given, pictures_every=6)
    assert toy.executions == 1


def test_a_step_is_traced_once_when_batches_are_read(runs, toy, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY_LIMIT", 0)
    runs.train(toy, **TOY)
    assert toy.executions == 1


def test_memory_does_not_grow_over_2000_steps(runs, toy, wrapped_calls):
    resident = {}

    def measure(case, many, count):
        finite = many(count)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        resident[int(case.step.numpy())] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return finite

    wrapped_calls(measure)
    runs.train(toy, steps=2500, log_every=50, eval_every=250, checkpoint_every=250)
    # The first 500 steps fill pools and caches. A batch of 5 rows has 80 bytes, but an op or a tensor that is made anew
    # and kept costs 1 kB and more, so a leak a step would be 2 MiB and more; what comes at 500 and goes varies by less.
    grown = np.median([resident[s] for s in resident if s > 2300]) - np.median(
        [resident[s] for s in resident if 500 < s <= 700]
    )
    assert grown < 2


def test_xla_gives_the_same_losses(runs, few_digits):
    for jit in ("on", "off"):
        runs.train(MNIST, jit, model="mlp", steps=20, batch_size=50, log_every=1, jit=jit)
    np.testing.assert_allclose(runs.losses("on"), runs.losses("off"), rtol=1e-5)
    assert len(runs.losses("on")) == 20


def test_xla_gives_the_same_random_draws(runs, toy):
    for jit in ("on", "off"):
        runs.train(toy, jit, steps=20, log_every=1, jit=jit)
    np.testing.assert_allclose(runs.losses("on"), runs.losses("off"), rtol=1e-5)


def test_sources_that_do_not_fit_into_memory_give_the_same_run(runs, toy, whole, monkeypatch, at_step):
    monkeypatch.setattr(pipeline, "IN_MEMORY_LIMIT", 0)
    runs.train(toy, "read", **TOY)
    runs.assert_identical("read", whole)
    at_step(7, kill)
    with pytest.raises(Killed):
        runs.train(toy, "parts", **TOY)
    at_step()
    runs.train(toy, "parts", **TOY)
    runs.assert_identical("parts", whole)


# Reports


def test_each_split_is_reported_at_its_own_steps_and_the_last(runs, toy):
    runs.train(toy, **TOY)
    assert [r["step"] for r in runs.records(split="train")] == [3, 6, 9, 12, 15, 18]
    assert [r["step"] for r in runs.records(split="eval")] == [4, 8, 12, 16, 18]
    assert runs.checkpoints() == [10, 15, 18]


def test_by_default_a_run_is_evaluated_and_saved_at_the_end_of_each_epoch(runs, toy):
    runs.train(toy, epochs=3, keep_checkpoints=9)
    # 22 examples in batches of 5: the epochs end within the steps 5, 9 and 14.
    assert [r["step"] for r in runs.records(split="eval")] == [5, 9, 14]
    assert runs.checkpoints() == [5, 9, 14]


def test_a_report_is_the_mean_over_the_steps_since_the_last_one(runs, toy):
    runs.train(toy, "each", steps=11, log_every=1)
    runs.train(toy, "some", steps=11, log_every=4)
    each = runs.losses("each")
    np.testing.assert_allclose(runs.losses("some"), [each[:4].mean(), each[4:8].mean(), each[8:].mean()], rtol=1e-12)


def test_reports_have_their_step_split_values_and_seconds(runs, toy):
    runs.train(toy, steps=4, log_every=4)
    lines = [json.loads(line) for line in (runs.path / "run" / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert list(line) == ["step", "split", "values", "seconds"]
        assert line["seconds"] > 0
    assert [(line["split"], list(line["values"])) for line in lines] == [
        ("train", ["loss", "size"]),
        ("eval", ["loss"]),
    ]


def test_seconds_go_on_where_the_last_process_stopped(runs, toy):
    runs.train(toy, steps=4, log_every=2)
    first = json.loads((runs.path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["seconds"]
    runs.train(toy, steps=8, log_every=2)
    seconds = [json.loads(line)["seconds"] for line in (runs.path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert seconds == sorted(seconds)
    assert seconds[-1] > first


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (dict(checkpoint_every=5), 3),
        (dict(checkpoint_every=5, keep_checkpoints="all"), 4),
        (dict(checkpoint_every=10), 2),
        (dict(keep_checkpoints="9"), 4),  # epochs of 22 examples end within the steps 5, 9, 14 and 18
    ],
)
def test_the_disk_space_of_the_checkpoints_is_told(runs, toy, capsys, given, kept):
    class Large(toy):
        def __init__(self, config, info):
            super().__init__(config, info)
            self.ballast = tf.Variable(tf.zeros([500_000]), trainable=False)

    runs.train(Large, steps=18, **given)
    assert f"run, {kept} checkpoints of 2.0 MB, {2 * kept}.0 MB in all\n" in capsys.readouterr().out
    assert len(runs.checkpoints()) == kept


def test_what_is_printed_without_a_terminal(runs, toy, capsys):
    result = runs.train(toy, **TOY)
    out = capsys.readouterr().out
    assert out.startswith("a toy\ntoy: 22 examples, 18 steps of 5, float32, CPU, ")
    # Weights, two slots of 3 floats each, and three counters: 60 bytes.
    assert re.search(r"; workdir \S+run, 3 checkpoints of 0\.0 MB, 0\.0 MB in all$", out.splitlines()[1])
    assert out.splitlines()[2] == (
        "train: means over the training examples since the line before, measured while they are learnt; eval: over all "
        "22 held-out examples, with the weights of that step"
    )
    assert len(re.findall(r"^step \d+/18  train  loss \d+\.\d{4}  size \d+\.\d{4}", out, re.MULTILINE)) == 6
    assert len(re.findall(r"^step \d+/18  eval   loss \d+\.\d{4}$", out, re.MULTILINE)) == 5
    assert re.search(r"^step 15/18  train .*  [\d,]+ examples/s, 0:00 left$", out, re.MULTILINE)
    lines = out.splitlines()
    assert lines[-2] == f"toy loss {result.values['loss']:.3f}"
    assert re.fullmatch(r"Time 0:\d\d: \d+% getting the data ready, \d+% training, the rest .*\.", lines[-1])


def events(path):
    for folder, _, names in os.walk(path):
        for name in names:
            for record in tf.data.TFRecordDataset(os.path.join(folder, name)):
                yield tf.compat.v1.Event.FromString(record.numpy())


def test_tensorboard_has_scalars_pictures_and_the_traced_graph(runs, toy):
    runs.train(toy, **TOY)
    found, graphs = {}, []
    for event in events(runs.path / "run" / "tensorboard"):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
            if value.tag == "__graph__" or value.metadata.plugin_data.plugin_name == "graphs":
                graphs.append(value)
        if event.graph_def:
            graphs.append(event.graph_def)
    assert found["train/loss"] == [3, 6, 9, 12, 15, 18]
    assert found["eval/loss"] == [4, 8, 12, 16, 18]
    assert found["weights"] == [18]
    assert "curves" in found
    assert "time/examples_per_second" in found
    assert len(graphs) == 1


def test_pictures_come_at_the_end_or_numbered_by_their_step(runs, toy):
    runs.train(toy, "end", **TOY)
    assert sorted(os.listdir(runs.path / "end" / "pictures")) == ["curves.png", "weights.png"]
    runs.train(toy, "often", **TOY, pictures_every=7)
    expected = ["curves.png", "weights_000007.png", "weights_000014.png", "weights_000018.png"]
    assert sorted(os.listdir(runs.path / "often" / "pictures")) == expected


def test_the_default_workdir_is_called_after_the_run(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = loop.train(toy, toy.Config.resolve({"steps": 2}))
    assert result.workdir == os.path.join("runs", "toy")
    assert os.path.exists(tmp_path / "runs" / "toy" / "config.json")


def test_the_lock_is_released_when_a_run_fails(runs, toy):
    with pytest.raises(UsageError, match="warmup_steps"):
        runs.train(toy, steps=2, warmup_steps=5)
    runs.train(toy, steps=2)
    with pytest.raises(UsageError, match="--seed is 3"):
        runs.train(toy, steps=2, seed=3)
    runs.train(toy, steps=3)


def test_a_metric_that_the_case_does_not_name_is_a_mistake(runs, toy):
    toy.metric_names = ("loss",)
    with pytest.raises(ValueError, match=r"train_step returned \['loss', 'size'\], but metric_names is \['loss'\]\."):
        runs.train(toy, steps=1)
