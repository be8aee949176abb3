"""Models and a server that the tests of the serving program share; making them takes seconds."""

import pytest


def saved(tmp_path_factory, name, *arguments):
    """The folder of a new SavedModel that `models.save_NAME` writes."""
    import models

    path = str(tmp_path_factory.mktemp("models") / name)
    getattr(models, f"save_{name}")(path, *arguments)
    return path


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory):
    """The folder of a SavedModel, see `models.save_half_plus`."""
    return saved(tmp_path_factory, "half_plus")


@pytest.fixture(scope="session")
def half_plus_three(tmp_path_factory):
    """The same for y = x / 2 + 3."""
    return saved(tmp_path_factory, "half_plus", 3.0)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """The folder of a SavedModel, see `models.Zoo`."""
    return saved(tmp_path_factory, "zoo")


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
