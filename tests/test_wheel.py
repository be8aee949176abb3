"""The wheel, installed in a fresh environment: the command `tf2cases` works without the checkout."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import numpy as np
import pytest

from tf2cases import viz
from tf2cases.data import mnist

SOURCES = ("tf2cases", "testdata", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PIP_NO_INDEX": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def sources(repo, tmp_path_factory):
    """A copy of the sources, since setuptools builds in their folder."""
    place = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (repo / name).is_dir():
            shutil.copytree(repo / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(repo / name, place / name)
    return place


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory):
    """The built wheel."""
    place = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, sources)
    (built,) = place.iterdir()
    return built


def environment(place, *what):
    """Makes a fresh environment with this one's dependencies and what pip installs; returns `run(command, *arguments)`.

    A command runs in an empty folder; it must succeed, and `run` returns its standard output.
    """
    venv.create(place / "venv", with_pip=False)
    python = place / "venv" / "bin" / "python"
    pip("--python", python, "install", "--no-deps", *what)
    (packages,) = (place / "venv" / "lib").glob("python*/site-packages")
    # Such a folder is searched last, and its own .pth files, among them that of an editable install, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (place / "work").mkdir()
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(name, *arguments):
        command = [str(place / "venv" / "bin" / name), *arguments]
        done = subprocess.run(command, cwd=place / "work", env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """`run(command, *arguments)` in an environment with the wheel."""
    return environment(tmp_path_factory.mktemp("environment"), wheel)


def test_the_wheel_has_every_module_and_the_test_data_and_no_launchers(wheel, repo):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        sizes = sum(info.compress_size for info in archive.infolist())
    modules = {str(path.relative_to(repo)) for path in (repo / "tf2cases").rglob("*.py")}
    data = {f"tf2cases/{p.relative_to(repo)}" for p in (repo / "testdata").rglob("*") if p.is_file()}
    data = {name for name in data if "__pycache__" not in name}
    playground = {str(path.relative_to(repo)) for path in (repo / "tf2cases/playground").rglob("*") if path.is_file()}
    playground = {name for name in playground if "__pycache__" not in name}
    assert names == modules | data | playground | {"tf2cases/py.typed", "tf2cases/wordcloud/stopwords.txt"}
    assert sizes < 2.2e6


def where(run):
    """The paths of the package and of the table of houses that it reads."""
    code = "import tf2cases; from tf2cases.data.source import testdata_path"
    printed = run("python", "-c", f"{code}; print(tf2cases.__file__, testdata_path('houses.csv'))")
    return [pathlib.Path(path) for path in printed.split()]


def test_the_wheel_has_its_own_test_data(run, repo):
    module, data = where(run)
    assert module.parts[-3:] == ("site-packages", "tf2cases", "__init__.py")
    assert data == module.parent / "testdata" / "houses.csv"
    assert data.read_bytes() == (repo / "testdata" / "houses.csv").read_bytes()


def test_an_editable_install_uses_the_test_data_of_its_sources(sources, tmp_path):
    # This is what `pip install --editable` calls; pip itself would need setuptools in the fresh environment.
    code = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, cwd=sources, capture_output=True, check=True)
    run = environment(tmp_path, *tmp_path.glob("*.whl"))
    assert where(run) == [sources / "tf2cases" / "__init__.py", sources / "testdata" / "houses.csv"]
    assert "\nusage: tf2cases NAME [flags]\n" in run("tf2cases")


def test_the_command_lists_the_programs_and_their_help_names_it(run):
    listed = run("tf2cases")
    assert "\nusage: tf2cases NAME [flags]\n" in listed
    for name in ("train_mnist", "predict", "make_wordcloud"):
        assert len(re.findall(rf"^  {name} +\S.*$", listed, re.MULTILINE)) == 1
    assert "bin" not in run("tf2cases", "train_mnist", "--help")


def test_digits_are_trained_exported_and_predicted(run, tmp_path):
    run("tf2cases", "train_mnist", "--dataset=mnist_sample", "--model=mlp", "--steps=100", "--no_warmup", "--workdir=w")
    sample = mnist.load_sample().test
    paths = [str(tmp_path / f"{i}.png") for i in range(10)]
    for path, image in zip(paths, sample["images"], strict=False):
        viz.write_png(path, image)
    answers = [line.split("\t") for line in run("tf2cases", "predict", "--model=exports/w", *paths).splitlines()]
    assert [path for path, _, _ in answers] == paths
    right = np.sum([int(label) for _, label, _ in answers] == sample["labels"][:10])
    assert right >= 7  # about 90 % of the test digits are read right after three epochs; by chance, one of ten


def test_a_word_cloud_is_drawn_with_a_mask_of_the_wheel(run, repo, tmp_path):
    out = tmp_path / "cloud.png"
    run("tf2cases", "make_wordcloud", "--preset=mask", f"--text={repo}/testdata/garden_en.txt", f"--out={out}")
    assert out.read_bytes().startswith(b"\x89PNG")
