"""What comes with the package besides its code."""

import configparser
import importlib.resources
import re

import pytest
from program_call import exit_status

import tf2cases
from tf2cases.programs import benchmark, train_mnist


def test_the_version_is_the_same_everywhere(repo):
    settings = configparser.ConfigParser()
    settings.read(repo / "setup.cfg")
    assert settings["metadata"]["version"] == "attr: tf2cases.__version__"
    assert re.search(r"^version: (\S+)$", (repo / "CITATION.cff").read_text(), re.MULTILINE)[1] == tf2cases.__version__
    assert re.search(r"^## (\S+)", (repo / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == tf2cases.__version__


@pytest.mark.parametrize("program", [train_mnist, benchmark])
def test_programs_print_the_version(capsys, program):
    assert exit_status(program, "--version") == 0
    assert capsys.readouterr().out == f"tf2cases {tf2cases.__version__}\n"


def test_type_checkers_are_told_of_the_type_hints(repo):
    assert importlib.resources.files(tf2cases).joinpath("py.typed").is_file()
    assert "py.typed" in (repo / "setup.cfg").read_text()


@pytest.mark.parametrize("page", ["README.md", "BUILD_NOTES.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"])
def test_links_between_pages_lead_somewhere(repo, page):
    pages = list(repo.glob(page))
    assert pages
    for path in pages:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
