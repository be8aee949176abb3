"""What setup.cfg cannot say: testdata/ is installed as the package `tf2cases.testdata`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tf2cases", "tf2cases.*"]), "tf2cases.testdata"],
    package_dir={"tf2cases.testdata": "testdata"},
)
