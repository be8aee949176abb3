import pytest
from fake_core import FakeCore, running

from tf2cases.server.options import RestOptions


@pytest.fixture
def core(shared):
    """A core that has not been called."""
    core, _ = shared
    core.reset()
    return core


@pytest.fixture
def server(core, shared):
    """A server in front of it, with the default limits."""
    return shared[1]


@pytest.fixture(scope="session")
def shared():
    # Starting and stopping a server takes a quarter of a second.
    core = FakeCore()
    with running(core, RestOptions(port=0)) as server:
        yield core, server
