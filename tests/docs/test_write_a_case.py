"""docs/write_a_case.md, followed literally in a copy of the checkout."""

import os
import re
import shutil
import subprocess
import sys

import pytest

BLOCK = re.compile(r"^```(python|diff|bash)\n(?:# (\S+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(repo):
    """[(language, file or "", text)] of the page, in its order."""
    return BLOCK.findall((repo / "docs" / "write_a_case.md").read_text())


@pytest.fixture(scope="module")
def followed(repo, blocks, tmp_path_factory):
    """(the copy in which every file of the page was written or changed, {command: what it printed})."""
    place = tmp_path_factory.mktemp("followed") / "checkout"
    place.mkdir()
    for name in ("tf2cases", "bin", "tests", "testdata"):
        shutil.copytree(repo / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(repo / name, place)
    printed = {}
    for language, file, text in blocks:
        if language == "python":
            assert not (place / file).exists()
            (place / file).write_text(text)
        elif language == "diff":
            _change(place / file, text)
        else:
            for command in text.splitlines():
                printed[command] = _run(place, command)
    return place, printed


def _change(path, diff):
    """Replaces the lines of a block marked by " " and "-" by those marked by " " and "+"."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    source = path.read_text()
    assert source.count(old) == 1, f"{path} does not hold this once:\n{old}"
    path.write_text(source.replace(old, new))


def _run(place, command):
    assert command.startswith("python ")
    environment = {**os.environ, "PYTHONPATH": str(place)}
    whole = f'"{sys.executable}" {command.removeprefix("python ")}'
    done = subprocess.run(whole, shell=True, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_case_has_less_than_a_hundred_lines_as_stated(blocks, repo):
    lines = sum(len(text.splitlines()) for language, _, text in blocks if language == "python")
    assert lines < 100
    assert f"{lines} lines in four new files" in " ".join((repo / "docs" / "write_a_case.md").read_text().split())


def test_it_trains_resumes_and_exports(followed):
    place, printed = followed
    first, second = (printed[command] for command in printed if "bin.train_softmax_regression" in command)
    assert "resuming from step" not in first
    assert "resuming from step 313" in second  # ten epochs of 4,000 digits in batches of 128
    for version in ("1", "2"):
        assert (place / "exports" / "softmax_regression_mnist_sample" / version / "saved_model.pb").is_file()
    assert (place / "exports" / "digits" / "1" / "saved_model.pb").is_file()
    assert (place / "runs" / "softmax_regression_mnist_sample" / "pictures" / "weights.png").is_file()


def test_its_accuracy_is_about_what_the_page_says(followed):
    _, printed = followed
    evaluated = next(text for command, text in printed.items() if "bin.evaluate" in command)
    assert float(re.search(r"accuracy:? ([\d.]+)", evaluated)[1]) == pytest.approx(0.89, abs=0.015)


def test_it_passes_the_tests_of_every_case(followed):
    _, printed = followed
    tests = next(text for command, text in printed.items() if "pytest" in command)
    assert int(re.search(r"(\d+) passed", tests)[1]) >= 15
    assert "failed" not in tests


def test_format_and_import_directions_are_those_of_the_house(followed):
    place, _ = followed
    _run(place, "python -m ruff format --check --quiet tf2cases bin")
    _run(place, "python -m ruff check --quiet tf2cases bin")
    _run(place, "python -m pytest tests/test_import_directions.py tests/test_type_hints.py tests/programs/test_help.py")
