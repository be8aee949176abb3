"""What `import tf2cases` offers."""

import subprocess
import sys

import pytest
from test_import_directions import ARROWS

import tf2cases


def test_the_packages_are_attributes_that_are_imported_when_used(repo):
    code = (
        "import sys, tf2cases\n"
        "assert not {'numpy', 'tensorflow'} & set(sys.modules)\n"
        "assert tf2cases.nn.Dense and tf2cases.cases.MNIST and tf2cases.training.train\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repo)


def test_every_package_is_offered():
    packages = {name for name in ARROWS if name not in ("bin", "errors", "files", "quiet")}
    assert packages <= set(dir(tf2cases))
    for name in packages:
        assert getattr(tf2cases, name).__name__ == f"tf2cases.{name}"


def test_another_attribute_is_an_error():
    with pytest.raises(AttributeError, match="module 'tf2cases' has no attribute 'keras'"):
        tf2cases.keras  # noqa: B018
