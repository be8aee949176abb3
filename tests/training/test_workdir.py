"""The folder of a run: lock, config, and cutting back."""

import dataclasses
import json
import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import cases, files
from tf2cases.cases import linear_regression, mnist
from tf2cases.data.source import Source
from tf2cases.errors import RunError, UsageError
from tf2cases.training import manifest
from tf2cases.training import workdir as workdirs
from tf2cases.training.workdir import Workdir

INFO = {"feature_names": ["size"], "mean": [0.1, 2.0], "std": [1.0, 1 / 3]}


def source(**facts):
    rows = {"features": np.zeros([4, 1], np.float32)}
    return Source("mnist", {"train": rows, "test": rows}, INFO | facts)


def config(**changes):
    return mnist.Config.resolve({"steps": 10, **changes}).with_examples(100)


@pytest.fixture
def workdir(tmp_path):
    opened = Workdir(str(tmp_path / "run"))
    yield opened
    opened.close()


@pytest.mark.parametrize("error", [UsageError, KeyboardInterrupt])
def test_a_refused_start_leaves_none_of_the_folders_that_it_created(tmp_path, error):
    (tmp_path / "runs").mkdir()
    with pytest.raises(error), Workdir(str(tmp_path / "runs" / "a" / "b")):
        raise error("refused")
    assert os.listdir(tmp_path) == ["runs"]
    assert os.listdir(tmp_path / "runs") == []


def test_a_refused_start_leaves_folders_that_were_there_or_hold_anything(tmp_path):
    def refused(path, write):
        with Workdir(str(path)) as opened:
            write(opened)
            raise UsageError("refused")

    (tmp_path / "mine").mkdir()
    for path, write in (
        (tmp_path / "mine", lambda opened: None),
        (tmp_path / "used", lambda opened: opened.claim(config(), source())),
        (tmp_path / "runs" / "a", lambda opened: (tmp_path / "runs" / "b").mkdir()),
    ):
        with pytest.raises(UsageError, match="refused"):
            refused(path, write)
    assert sorted(os.listdir(tmp_path)) == ["mine", "runs", "used"]
    assert "config.json" in os.listdir(tmp_path / "used")
    assert os.listdir(tmp_path / "runs") == ["b"]


def test_a_refused_start_leaves_no_lock_in_a_folder_of_others(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="it holds other files"), Workdir(str(tmp_path)) as opened:
        opened.check(config())
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_overwrite_is_refused_beside_checkpoints_that_the_run_did_not_write(workdir):
    workdir.claim(config(), source())
    for name in ("step_00000020", "step_00000010", "best"):
        os.makedirs(workdir.file("checkpoints", name))
    manifest.add(workdir.path, "checkpoints", "step_00000020")
    message = (
        r"^--overwrite was given, but the run in --workdir=\S+ did not write checkpoints/step_00000010; move it else"
    )
    with pytest.raises(UsageError, match=message):
        workdir.claim(config(overwrite=True), source())
    assert len(os.listdir(workdir.file("checkpoints"))) == 3
    os.rmdir(workdir.file("checkpoints", "step_00000010"))
    workdir.claim(config(overwrite=True), source())
    assert os.listdir(workdir.file("checkpoints")) == ["best"]


def test_a_finished_start_keeps_its_folder(tmp_path):
    with Workdir(str(tmp_path / "a")):
        pass
    assert os.listdir(tmp_path / "a") == [".lock"]


def test_config_json_tells_what_was_run_with_what_on_what(workdir):
    workdir.claim(config(seed=3), source())
    record = workdirs.read_record(workdir.path)
    assert record["case"] == "mnist"
    assert record["config"] == dataclasses.asdict(config(seed=3))
    assert record["info"] == INFO
    assert record["versions"]["tensorflow"] == tf.__version__
    assert {"tf2cases", "numpy", "python"} <= record["versions"].keys()
    assert record["device"]
    assert "revision" in record


def test_the_same_config_may_go_on_and_cadences_are_brought_up_to_date(workdir):
    workdir.claim(config(), source())
    workdir.claim(config(), source())
    workdir.claim(config(log_every=7, steps=20, keep_checkpoints=1, deterministic=True), source())
    assert workdirs.read_record(workdir.path)["config"]["log_every"] == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"seed": 4},
            r"^--seed is 4, but the run in --workdir=\S+ was started with 0; use another --workdir, or "
            r"--overwrite to start over\.$",
        ),
        ({"learning_rate": 0.1}, r"^--learning_rate is 0\.1, but the run in \S+ was started with 0\.001; "),
        ({"batch_size": 64}, r"^--batch_size is 64, but the run in \S+ was started with 128; "),
        ({"model": "mlp"}, r"^--model is 'mlp', but the run in \S+ was started with 'cnn'; "),
        ({"dataset": "mnist_sample"}, r"^--dataset is 'mnist_sample', but the run in \S+ was started with 'mnist'; "),
        ({"clip_norm": 1.0}, r"^--clip_norm is 1\.0, but the run in \S+ was started without it; "),
    ],
)
def test_a_config_that_gives_other_numbers_is_refused_with_the_field_and_both_values(workdir, changes, message):
    workdir.claim(config(), source())
    with pytest.raises(UsageError, match=message):
        workdir.claim(config(**changes), source())
    assert workdirs.read_record(workdir.path)["config"] == dataclasses.asdict(config())


def test_the_number_of_steps_is_refused_where_a_schedule_uses_it(workdir):
    workdir.claim(config(schedule="cosine"), source())
    with pytest.raises(UsageError, match=r"^--steps is 20, but the run in \S+ was started with 10; "):
        workdir.claim(config(schedule="cosine", steps=20), source())


def test_another_case_is_refused(workdir):
    workdir.claim(config(), source())
    message = r"^--workdir is '.*run', but it holds a run of the case 'mnist', not 'linear_regression'; use another"
    with pytest.raises(UsageError, match=message):
        workdir.claim(linear_regression.Config().with_examples(47), source())


def test_changed_data_are_refused(workdir):
    workdir.claim(config(), source())
    with pytest.raises(UsageError, match=r"^--dataset=mnist has changed since the run in --workdir=\S+ was started; "):
        workdir.claim(config(), source(mean=[0.1, 2.1]))


def pictures(**changes):
    images = np.random.default_rng(0).integers(0, 256, [9, 4, 4, 1], np.uint8)
    for index, value in changes.items():
        images[int(index[1:])] = value
    return Source("mnist", {"train": {"images": images, "labels": np.arange(9)}}, INFO)


def test_other_pictures_of_the_same_number_and_shape_are_refused(workdir):
    workdir.claim(config(), pictures())
    workdir.claim(config(), pictures())
    with pytest.raises(UsageError, match=r"^--dataset=mnist has changed since the run in --workdir=\S+ was started; "):
        workdir.claim(config(), pictures(_8=7))


def test_of_a_large_array_rows_all_over_it_are_compared(workdir, monkeypatch):
    monkeypatch.setattr("tf2cases.data.source._CHECKED_BYTES", 64)  # four of nine pictures: every third
    workdir.claim(config(), pictures())
    workdir.claim(config(), pictures(_1=7))
    with pytest.raises(UsageError, match="has changed since"):
        workdir.claim(config(), pictures(_6=7))


def test_a_run_of_an_earlier_version_which_took_no_checksum_of_pictures_may_go_on(workdir):
    workdir.claim(config(), pictures())
    record = workdirs.read_record(workdir.path)
    del record["examples"]["pictures_crc32"]
    files.write_json(workdir.file("config.json"), record)
    workdir.claim(config(), pictures())


def test_info_is_compared_as_json_holds_it(workdir):
    workdir.claim(config(), source(image_shape=(28, 28, 1)))
    workdir.claim(config(), source(image_shape=[28, 28, 1]))


def test_overwrite_removes_what_the_run_wrote_and_nothing_else(workdir):
    workdir.claim(config(), source())
    first = workdir.run
    for names in (("pictures", "samples_000001.png"), ("pictures", "IMG_000123.png"), ("mine", "file")):
        os.makedirs(workdir.file(names[0]), exist_ok=True)
        with open(workdir.file(*names), "w"):
            pass
    for name in ("metrics.jsonl", "notes.txt"):
        with open(workdir.file(name), "w"):
            pass
    workdir.own("curves.png")
    manifest.add(workdir.path, "pictures", "samples_000001.png")
    with Workdir(os.path.join(workdir.path, "..", "b")) as other:
        other.claim(config(overwrite=True), source())  # there may be nothing to overwrite
    workdir.close()
    with Workdir(workdir.path) as again:
        again.claim(config(seed=5, overwrite=True), source())
        assert again.run != first
    assert sorted(os.listdir(workdir.path)) == [".lock", "config.json", "manifest.txt", "mine", "notes.txt", "pictures"]
    assert os.listdir(workdir.file("mine")) == ["file"]
    assert os.listdir(workdir.file("pictures")) == ["IMG_000123.png"]
    assert workdirs.read_record(workdir.path)["config"]["seed"] == 5


def test_pictures_of_the_user_are_not_cut_back(workdir):
    workdir.claim(config(), source())
    os.makedirs(workdir.file("pictures"))
    for name in ("IMG_000123.png", "samples_000005.png", "samples_000012.png"):
        with open(workdir.file("pictures", name), "w"):
            pass
    manifest.add(workdir.path, "pictures", "samples_000005.png")
    manifest.add(workdir.path, "pictures", "samples_000012.png")
    workdir.cut_back(5)
    assert sorted(os.listdir(workdir.file("pictures"))) == ["IMG_000123.png", "samples_000005.png"]
    assert [step for step, _ in workdir.numbered_pictures()] == [5]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_holds_other_files_and_no_run_is_refused_and_unchanged(tmp_path, overwrite):
    for name in ("notes.txt", "a.png", ".hidden"):
        (tmp_path / name).write_text("x")
    message = (
        r"^--workdir is '.*', but it holds other files \(a\.png and 1 more\) and no run; it must be a new or empty "
    )
    with Workdir(str(tmp_path)) as opened:
        for step in (lambda: opened.check(config(overwrite=overwrite)), lambda: opened.claim(config(), source())):
            with pytest.raises(UsageError, match=message):
                step()
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".lock", "a.png", "notes.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_config_json_without_a_manifest_is_refused(workdir, overwrite):
    workdir.claim(config(), source())
    os.remove(workdir.file("manifest.txt"))
    message = (
        r"^--workdir is '.*', but its config\.json has no manifest\.txt beside it, .*; restore the file, or use "
        rf"another --workdir, with --init_from={workdir.path} to start from its weights\.$"
    )
    with pytest.raises(UsageError, match=message):
        workdir.check(config(overwrite=overwrite))
    assert os.path.exists(workdir.file("config.json"))


def test_overwriting_that_was_killed_at_any_file_operation_never_mixes_two_runs(tmp_path, monkeypatch):
    """The first run is either whole or removed; the next start without --overwrite never continues it under seed 5."""

    class Killed(BaseException):
        pass

    def first_run(path):
        with Workdir(path) as opened:
            opened.claim(config(), source())
            for names in (("metrics.jsonl",), ("checkpoints", "step_00000001", "v"), ("pictures", "a_000001.png")):
                os.makedirs(os.path.dirname(opened.file(*names)), exist_ok=True)
                with open(opened.file(*names), "w"):
                    pass
                manifest.add(path, *names[:2])

    def killed_after(count, path):
        left = [count]

        def counted(function):
            def call(*arguments, **options):
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return function(*arguments, **options)

            return call

        with monkeypatch.context() as patch, Workdir(path) as opened:
            for name in ("remove", "rmdir", "unlink", "rename", "replace", "makedirs"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                opened.claim(config(seed=5, overwrite=True), source())
            except Killed:
                return True
            return False

    count = 0
    while True:
        path = str(tmp_path / f"{count}")
        first_run(path)
        killed = killed_after(count, path)
        whole = os.path.exists(os.path.join(path, "config.json"))
        seed = workdirs.read_record(path)["config"]["seed"] if whole else None
        assert killed or seed == 5
        old = [n for n in manifest.listed(path) if n != "metrics.jsonl" and os.path.exists(os.path.join(path, n))]
        assert (seed == 0 and len(old) == 2) or seed is None or (seed == 5 and not old)
        if seed is None:
            with Workdir(path) as opened:
                opened.claim(config(seed=5), source())
                assert sorted(os.listdir(path)) == [".lock", "config.json", "manifest.txt"]
        if not killed:
            break
        count += 1
    assert count > 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"^--workdir is '.*', but there is no run in it \(.*config\.json is missing\)\.$"),
        ("{", r"^--workdir is '.*', but .*config\.json cannot be read: .*; restore .* or train again with --overwrite"),
        (
            "[]",
            r"^--workdir is '.*', but .*config\.json must contain case, run, config and info; restore the file, or ",
        ),
        ('{"case": "mnist"}', r"^--workdir is '.*', but .*config\.json must contain case, run, config and info"),
    ],
)
def test_a_missing_or_foreign_config_json_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        workdirs.read_record(str(tmp_path))


def test_overwrite_repairs_a_run_whose_config_json_was_emptied(workdir):
    workdir.claim(config(), source())
    files.write_text(workdir.file("config.json"), "")
    with pytest.raises(UsageError, match=r"or train again with --overwrite, which starts the run over\.$"):
        workdir.check(config())
    workdir.check(config(overwrite=True))
    workdir.claim(config(overwrite=True, seed=3), source())
    assert workdirs.read_record(workdir.path)["config"]["seed"] == 3


def test_a_case_or_field_that_this_version_does_not_have_is_refused(workdir):
    record = {"case": "weather", "run": "r", "config": {}, "info": {}}
    files.write_text(workdir.file("config.json"), json.dumps(record))
    with pytest.raises(UsageError, match=r"^the case 'weather' is not one of linear_regression, .*--case=MODULE:CLASS"):
        cases.restore(workdir.path)
    record = {"case": "mnist", "run": "r", "config": {"colour": 1}, "info": {}}
    files.write_text(workdir.file("config.json"), json.dumps(record))
    with pytest.raises(UsageError, match=r"^config\.json has the field 'colour'"):
        cases.restore(workdir.path)
    manifest.add(workdir.path, "metrics.jsonl")
    with pytest.raises(UsageError, match=r"^config\.json has the field 'colour'"):
        workdir.claim(config(), source())


def test_a_second_trainer_is_kept_out_until_the_first_is_done(workdir):
    message = r"^--workdir is '.*run', but another process is training there; wait for it or name another folder\.$"
    with pytest.raises(UsageError, match=message):
        Workdir(workdir.path)
    workdir.close()
    Workdir(workdir.path).close()


def test_the_lock_of_another_process_goes_when_it_is_killed(tmp_path):
    path = tmp_path / ".lock"
    script = f"import fcntl; f = open({str(path)!r}, 'a+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); "
    with subprocess.Popen([sys.executable, "-c", script + "input()"], stdin=-1, stdout=-1) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="another process is training there"):
            Workdir(str(tmp_path))
        other.kill()
        other.wait()
    Workdir(str(tmp_path)).close()


def test_a_workdir_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path, why in ((tmp_path / "file", r"is a file\.$"), (tmp_path / "file" / "run", "cannot be written to: ")):
        with pytest.raises(UsageError, match=rf"^--workdir is '{re.escape(str(path))}', but it {why}"):
            Workdir(str(path))


def report(*steps):
    return "".join(json.dumps({"step": s, "split": "train", "values": {"loss": 0.1 + 0.2}}) + "\n" for s in steps)


@pytest.mark.parametrize("torn", ["", '{"step": 9, "spl', '{"step": 12', "\0\0\0"])
def test_reports_after_the_checkpoint_are_cut_off_and_so_is_a_torn_line(workdir, torn):
    with open(workdir.file("metrics.jsonl"), "w") as file:
        file.write(report(2, 4, 4, 6, 8) + torn)
    workdir.cut_back(4)
    with open(workdir.file("metrics.jsonl")) as file:
        assert file.read() == report(2, 4, 4)
    assert [r["step"] for r in workdirs.read_metrics(workdir.path)] == [2, 4, 4]


def test_without_reports_there_is_nothing_to_cut(workdir):
    workdir.cut_back(0)
    assert workdirs.read_metrics(workdir.path) == []
    assert os.listdir(workdir.path) == [".lock"]


def event_steps(folder):
    (file,) = os.listdir(folder)
    events = [tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(os.path.join(folder, file))]
    return [e.step for e in events if e.HasField("summary")]


@pytest.mark.parametrize("torn", [0, 1, 13, 40])
def test_tensorboard_events_after_the_checkpoint_are_cut_off_and_so_is_a_torn_record(workdir, torn):
    folder = workdir.file("tensorboard")
    writer = workdir.open_events()
    with writer.as_default():
        for step in range(1, 10):
            tf.summary.scalar("loss", 1.0, step=step)
    writer.close()
    path = os.path.join(folder, os.listdir(folder)[0])
    with open(path, "rb+") as file:
        content = file.read()
        file.truncate(len(content) - torn)
    workdir.cut_back(9)
    assert event_steps(folder) == list(range(1, 10 if not torn else 9))
    workdir.cut_back(5)
    assert event_steps(folder) == [1, 2, 3, 4, 5]
    workdir.cut_back(0)
    assert event_steps(folder) == []


def test_what_a_kill_during_cutting_back_left_is_removed(workdir):
    os.makedirs(workdir.file("tensorboard"))
    with open(workdir.file("tensorboard", ".events.out.tfevents.1.01234567.partial"), "wb") as file:
        file.write(b"half")
    workdir.cut_back(3)
    assert os.listdir(workdir.file("tensorboard")) == []


def test_a_full_disk_at_the_start_is_one_sentence(workdir, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        RunError, match=r"config\.json could not be written: No space left on device; what was saved before"
    ):
        workdir.claim(config(), source())


def flips(count):
    """Copies of a file of reports with one bit flipped: (content, reports that are intact)."""
    draw = random.Random(7)
    lines = [
        json.dumps({"step": step, "split": split, "values": {"loss": 0.5, "accuracy": 1.0}, "seconds": 1.5}).encode()
        for step in range(100, 1100, 100)
        for split in ("train", "eval")
    ]
    content = b"\n".join(lines) + b"\n"
    for _ in range(count):
        at = draw.randrange(len(content))
        yield content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def test_a_flipped_bit_in_the_reports_costs_the_lines_it_is_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "sync", lambda path: None)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    with Workdir(str(tmp_path)) as place:
        for content in flips(400):
            (tmp_path / "metrics.jsonl").write_bytes(content)
            (tmp_path / "damaged_metrics.jsonl").write_bytes(b"")
            capsys.readouterr()
            place.cut_back(1000, ["loss", "accuracy"])
            said, aside = capsys.readouterr().out, (tmp_path / "damaged_metrics.jsonl").read_bytes()
            records = workdirs.read_metrics(str(tmp_path))
            lost = 20 - len(records)
            assert lost <= 2
            assert all(len(r["values"]) == 2 for r in records if r["split"] == "train")
            assert [r["step"] for r in records] == sorted(r["step"] for r in records)
            if lost and aside:  # else the last line was cut off or its step is that of a later one
                assert re.fullmatch(
                    r"warning: .*metrics.jsonl: lines? [\d, ]+ (is|are) damaged; kept in damaged_metrics.jsonl, .*\n",
                    said,
                )
                assert aside.count(b"\n") in (1, 2)
            assert capsys.readouterr().err == ""  # nothing is damaged any more


@pytest.mark.parametrize(
    "line",
    [b"[]", b"1", b"null", b'{"step": 5}', b'{"step": "5", "split": "train", "values": {}}', b"\xff", b"[" * 100000]
    + [b'{"step": -5, "split": "train", "values": {}}', b'{"step": 5, "split": "train", "values": {"loss": null}}']
    + [
        b'{"step": 99, "split": "train", "values": {"loss": 1}}',
        b'{"step": 5, "split": "train", "values": {"moss": 1}}',
    ],
)
def test_a_damaged_line_is_named_and_set_aside(line, tmp_path, capsys):
    good = b'{"step": %d, "split": "train", "values": {"loss": 0.5}}'
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([good % 1, line, good % 10, good % 20, b""]))
    with Workdir(str(tmp_path)) as place:
        place.cut_back(20, ["loss"])
    assert "metrics.jsonl: line 2 is damaged; kept in damaged_metrics.jsonl" in capsys.readouterr().out
    assert (tmp_path / "damaged_metrics.jsonl").read_bytes() == line + b"\n"
    assert [record["step"] for record in workdirs.read_metrics(str(tmp_path))] == [1, 10, 20]
