"""What is generated from docs/measurements.jsonl and from the import arrows is up to date."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest
from test_import_directions import ARROWS

RECORD = {
    "topic": "Digits",
    "command": "python -m bin.train_mnist --seed=S",
    "what": "accuracy",
    "values": [97.5, 98.25, 98.0],
    "unit": "%",
    "seeds": [0, 1, 2],
    "device": "a laptop",
    "software": "TensorFlow",
    "date": "2026-01-31",
    "commit": "0123abc",
}


@pytest.fixture(scope="module")
def generate(repo):
    """The module docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", repo / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_generated_file_is_stale(generate):
    assert list(generate.stale()) == []


@pytest.mark.parametrize(
    "changed", ["docs/measurements.jsonl", "docs/measurements.md", "docs/packages.svg", "README.md"]
)
def test_a_change_of_a_source_or_a_result_is_found_and_mended(repo, tmp_path, changed):
    for name in (
        "docs/generate.py",
        "docs/measurements.jsonl",
        "docs/measurements.md",
        "docs/packages.svg",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(repo / name, tmp_path / name)
    shutil.copytree(repo / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))

    def run(*flags):
        command = [sys.executable, str(tmp_path / "docs" / "generate.py"), *flags]
        return subprocess.run(command, capture_output=True, text=True)

    assert run("--check").returncode == 0
    text = (tmp_path / changed).read_text()
    (tmp_path / changed).write_text(text.replace("97.85", "97.75").replace("inception_v3</text>", "inception</text>"))
    found = run("--check")
    assert found.returncode == 1
    assert ("docs/measurements.md" if changed.endswith("jsonl") else changed) + " is stale" in found.stdout
    assert run().returncode == 0
    assert run("--check").stdout == ""


def test_an_unknown_argument_is_refused(repo):
    done = subprocess.run([sys.executable, repo / "docs" / "generate.py", "--chek"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "generate.py: --chek was given, but only --check is accepted.\n")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "97.92 % [97.50 .. 98.25]"),
        ({"values": None, "value": 1.5, "min": 1.25, "max": 2, "unit": ""}, "1.50 [1.25 .. 2.00]"),
        ({"values": None, "value": 74440, "unit": "examples/s"}, "74,440 examples/s"),
        ({"values": None, "value": 3.4e-5, "unit": ""}, "3.4e-05"),
        ({"values": None, "value": 0, "unit": ""}, "0"),
    ],
)
def test_numbers_are_shown_with_the_decimals_that_were_measured(generate, change, text):
    record = {key: value for key, value in {**RECORD, **change}.items() if value is not None}
    assert generate.shown(record) == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": None}, r"line 1: missing fields \['device'\], unknown fields \[\]"),
        ({"devise": "a laptop"}, r"unknown fields \['devise'\]"),
        ({"value": 1}, "exactly one of value and values"),
        ({"values": None}, "exactly one of value and values"),
        ({"seeds": [0, 1]}, "values must have one number for each seed"),
        ({"values": None, "value": 1, "min": 0}, "min and max must be given together"),
        ({"date": "31.1.2026"}, "date is '31.1.2026', but must be YYYY-MM-DD"),
        ({"commit": "main"}, "commit is 'main', but must be a commit's hash"),
    ],
)
def test_an_incomplete_measurement_is_refused_with_its_line(generate, change, message):
    record = {key: value for key, value in {**RECORD, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        generate.read_records([json.dumps(record)])


def test_a_later_measurement_replaces_an_earlier_one_in_the_readmes_table(generate):
    place = {"case": "Digits", "column": "quality"}
    time = {"values": None, "value": 150, "unit": "s", "readme": {"case": "Digits", "column": "time"}}
    records = [RECORD | {"readme": place, "values": [1, 2, 3]}, RECORD | {"readme": place}, RECORD | time]
    del records[2]["values"]
    *_, row = generate.readme_table(records).splitlines()
    command = "`python -m bin.train_mnist`"
    assert row == f"| Digits | {command} | accuracy 97.92 % [97.50 .. 98.25] | 2.5 min | a laptop | 0, 1, 2 |"


def test_the_picture_shows_every_package_and_no_arrow_twice(generate):
    assert generate.PACKAGES.keys() == ARROWS.keys()
    picture = generate.packages_picture(ARROWS)
    assert re.findall(r'font-weight="bold">(\w+)<', picture) == list(generate.PACKAGES)
    arrows = generate.needed_arrows({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    assert arrows == [("a", "b"), ("b", "c")]  # a -> c follows from the two
    assert picture.count("marker-end") == len(generate.needed_arrows(ARROWS))
    for package, target in generate.needed_arrows(ARROWS):
        assert generate.PACKAGES[package][1] > generate.PACKAGES[target][1], "arrows point down"
