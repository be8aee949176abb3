"""Limits: every integer flag has an upper bound, and only regular files of a limited size are read."""

import os
import re

import numpy as np
import pytest
from program_call import exit_status
from test_paths import parsed, programs

from tf2cases import wordcloud
from tf2cases.configs import RunConfig
from tf2cases.data import houses, idx
from tf2cases.data.pictures import archive, folder
from tf2cases.errors import UsageError
from tf2cases.programs import (
    denoise,
    make_wordcloud,
    predict,
    sample_dcgan,
    train_captcha,
    train_dcgan,
    train_linear_regression,
    train_mnist,
)

REQUIRED = {"model": "m", "out": "o.png", "workdir": "w", "text": "t.txt"}
LARGE = ["2147483648", "9223372036854775808", "99999999999999999999", "9" * 5000]


def integer_flags():
    for name, module in programs():
        values = parsed(module)
        for flag in values:
            if values[flag].flag_type() == "int":
                yield pytest.param(module, flag, id=f"{name}-{flag}")


INTEGERS = list(integer_flags())


def test_there_are_integers():
    assert {"make_captchas-workers", "train_mnist-batch_size", "sample_vae-grid"} <= {case.id for case in INTEGERS}
    assert len(INTEGERS) > 80


@pytest.mark.parametrize(("module", "flag"), INTEGERS)
@pytest.mark.parametrize("digits", [20, 5000])
def test_every_integer_flag_has_an_upper_bound(module, flag, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("word")
    value = "9" * digits
    required = [f"--{name}={REQUIRED[name]}" for name in getattr(module, "REQUIRED", ()) if name in REQUIRED]
    if module is make_wordcloud:
        required = ["--text=t.txt"]
    assert exit_status(module, *required, f"--{flag}={value}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"--{flag}(=| is )", line)
    assert len(line) < 400 + digits
    assert os.listdir() == ["t.txt"]


def test_every_integer_field_of_a_config_has_a_maximum():
    """Too large values are refused whichever of them it is; the sentence says what is accepted."""
    for name, module in programs():
        values = parsed(module)
        for flag in values if name.startswith("train_") or name == "retrain" else ():
            if values[flag].flag_type() == "int":
                config_class = module.main.args[0]
                assert issubclass(config_class, RunConfig)
                most = config_class.__dataclass_fields__[flag].metadata["maximum"]
                assert most is not None
                with pytest.raises(UsageError, match=rf"^--{flag} is {most + 1}, but must be at most {most}\.$"):
                    config_class(**{flag: most + 1})


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (train_mnist, ["--keep_checkpoints=" + "9" * 5000], "--keep_checkpoints is '9+', but must be a number from"),
        (train_mnist, ["--epochs=1e300"], r"--epochs is 1e\+300, but must be at most 1000000"),
        (train_linear_regression, ["--features=" + "9" * 5000], "--features: .* has no column '9+': expected one of"),
        (train_linear_regression, ["--target=" + "9" * 5000], "--target: .* has no column '9+': expected one of"),
        (train_linear_regression, ["--csv=/dev/zero"], "--csv=/dev/zero cannot be read .not a regular file.: expected"),
        (train_dcgan, ["--dataset=folder", "--data_dir=.", "--crop=" + "9" * 5000], "--crop is '9+', but must be none"),
        (train_dcgan, ["--dataset=folder", "--data_dir=/dev/zero"], "/dev/zero cannot be read .not a regular file."),
        (train_captcha, ["--data_dir=/dev/zero"], "/dev/zero"),
        (sample_dcgan, ["--model=m", "--out=a.gif", f"--interpolate=1,2,{'9' * 5000}"], "--interpolate is '1,2,9+'"),
        (sample_dcgan, ["--model=m", "--out=a.gif", f"--interpolate=1,{'9' * 5000},2"], "--interpolate is '1,9+,2'"),
        (make_wordcloud, ["--text=/dev/zero"], "--text is '/dev/zero', but it cannot be read .not a regular file."),
        (make_wordcloud, ["--text=t.txt", "--mask=/dev/zero"], "/dev/zero: cannot be read .not a regular file."),
        (make_wordcloud, ["--text=t.txt", "--stopwords=/dev/zero"], "--stopwords is '/dev/zero', but it cannot be"),
        (make_wordcloud, ["--frequencies=/dev/zero"], "--frequencies is '/dev/zero', but it cannot be read"),
        (predict, ["--model=m", "/dev/zero"], "/dev/zero: cannot be read .not a regular file.; expected a PNG"),
        (denoise, ["--model=m", "/dev/zero", "a.png"], "/dev/zero: cannot be read .not a regular file.; expected"),
    ],
)
def test_what_has_no_end_is_refused(module, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("some words")
    assert exit_status(module, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)


def test_a_sparse_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.png"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(OSError, match="more than 256 MiB"):
        folder.read_file(path)
    with pytest.raises(UsageError, match=r"a.png cannot be read \(more than 1,024 MiB\): expected a CSV file"):
        houses.load(str(path))
    with pytest.raises(UsageError, match=r"but it has more than 4 GiB: expected a shorter text"):
        with wordcloud.opened(str(path)):
            pass


def test_a_pipe_is_no_picture_and_no_archive(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        folder.read_file(tmp_path / "pipe")
    for read in (idx.read, lambda path: archive.PictureArchive(path).fingerprint()):
        with pytest.raises(UsageError, match="not a regular file"):
            read(str(tmp_path / "pipe"))


@pytest.mark.parametrize("shape", [(0, 2**32 - 1, 2**32 - 1), (2**32 - 1,), (2**16, 2**16), (2**32 - 1,) * 4])
def test_a_huge_shape_in_an_idx_header_is_refused(shape, tmp_path):
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    (tmp_path / "a.idx").write_bytes(header)
    with pytest.raises(UsageError, match=r"a.idx has a header for the shape \[.*\]: expected at most \d+ bytes"):
        idx.read(tmp_path / "a.idx")
