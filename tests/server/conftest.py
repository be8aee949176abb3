"""Models and a server that the tests of the serving program share; making them takes seconds."""

import pytest


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory):
    """The folder of a SavedModel, see `models.save_half_plus`."""
    import models

    path = tmp_path_factory.mktemp("models") / "half_plus_two"
    models.save_half_plus(str(path))
    return str(path)


@pytest.fixture(scope="session")
def half_plus_three(tmp_path_factory):
    import models

    path = tmp_path_factory.mktemp("models") / "half_plus_three"
    models.save_half_plus(str(path), 3.0)
    return str(path)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """The folder of a SavedModel, see `models.Zoo`."""
    import models

    path = tmp_path_factory.mktemp("models") / "zoo"
    models.save_zoo(str(path))
    return str(path)


@pytest.fixture(scope="session")
def server(half_plus_two, zoo, tmp_path_factory):
    """A server with both; version 123 of half_plus_two, and version 1 of the zoo."""
    import models
    import running

    place = tmp_path_factory.mktemp("served")
    models.add_version(half_plus_two, str(place / "half_plus_two"), "00000123")
    models.add_version(zoo, str(place / "zoo"), 1)
    with running.serving(base_path=str(place), metrics_path="/monitoring/prometheus/metrics") as server:
        yield server
