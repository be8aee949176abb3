import pytest
from fake_core import FakeCore, running

from tf2cases.server.options import RestOptions


@pytest.fixture
def core():
    return FakeCore()


@pytest.fixture
def server(core):
    with running(core, RestOptions(port=0)) as server:
        yield server
