"""A server of two models; and the modules of other folders' tests that the tests of the client use."""

import pathlib
import sys

import pytest

for folder in ("server", "serving"):
    place = str(pathlib.Path(__file__).resolve().parents[2] / folder)
    if place not in sys.path:
        sys.path.append(place)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running server with version 1 of half_plus_two and of the zoo, see `models`."""
    import models
    import running

    place = tmp_path_factory.mktemp("of_the_client")
    models.save_half_plus(str(place / "half_plus_two" / "1"))
    models.save_zoo(str(place / "zoo" / "1"))
    with running.serving(base_path=str(place)) as server:
        yield server
