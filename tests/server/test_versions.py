"""Loading, retrying, replacing and unloading of versions; with loads that do as the test wants."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.specs import State
from tf2cases.server.versions import Versions


class Disk:
    """What is loaded, and which folders cannot be loaded or take until they may go on."""

    def __init__(self):
        self.log, self.broken, self.held = [], set(), {}

    def load(self, name, path):
        if path in self.held:
            assert self.held[path].wait(10)
        self.log.append(f"try {path}")
        if path in self.broken:
            raise ServingError(Code.DATA_LOSS, f"{path} is broken")
        return path

    def unload(self, loaded):
        self.log.append(f"unload {loaded}")


@contextlib.asynccontextmanager
async def opened(disk, folders=None, retries=0, retry_seconds=0.0):
    """The versions of some folders, {number: folder}, of the model "m", each of which has been tried."""
    with ThreadPoolExecutor(2) as executor:
        versions = Versions(disk.load, disk.unload, executor, retries, retry_seconds)
        if folders:
            versions.assign("m", folders)
            await versions.first_tries(["m"])
        yield versions
        await versions.close()


@contextlib.asynccontextmanager
async def replacing(disk):
    """Version 1 serves, and version 2 is being loaded from the folder "b", until `disk.held["b"]` is set."""
    disk.held["b"] = threading.Event()
    async with opened(disk, {1: "a"}) as versions:
        versions.assign("m", {2: "b"})
        await asyncio.sleep(0.05)
        yield versions


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("this has not happened")


def states(versions, name="m"):
    return {status.version: status.state.name for status in versions.statuses(name, None)}


def latest(versions, name="m"):
    with versions.lease(name, None) as version:
        return version.number


def test_the_newest_available_version_is_leased_unless_one_is_named():
    async def run():
        async with opened(Disk(), {1: "a", 2: "b"}) as versions:
            assert latest(versions) == 2
            with versions.lease("m", 1) as version:
                assert version.loaded == "a"
            for number, asked in ((3, "Specific(m, 3)"), (0, "Specific(m, 0)")):
                with pytest.raises(ServingError, match="Servable not found for request") as caught:
                    versions.lease("m", number).__enter__()
                assert asked in str(caught.value)
                assert caught.value.code == Code.NOT_FOUND

    asyncio.run(run())


def test_the_old_version_serves_until_the_new_one_is_there():
    async def run():
        disk = Disk()
        async with replacing(disk) as versions:
            assert latest(versions) == 1
            assert states(versions) == {2: "LOADING", 1: "AVAILABLE"}
            disk.held["b"].set()
            await until(lambda: states(versions) == {2: "AVAILABLE", 1: "END"})
            assert latest(versions) == 2
            assert disk.log == ["try a", "try b", "unload a"]

    asyncio.run(run())


def test_a_version_is_unloaded_after_its_last_request():
    async def run():
        disk = Disk()
        async with opened(disk, {1: "a"}) as versions:
            with versions.lease("m", None) as first:
                with versions.lease("m", None):
                    versions.assign("m", {2: "b"})
                    await until(lambda: states(versions)[2] == "AVAILABLE")
                    assert states(versions)[1] == "UNLOADING"
                    assert latest(versions) == 2
                await asyncio.sleep(0.05)
                assert first.loaded == "a"
            await until(lambda: states(versions)[1] == "END")
            assert disk.log == ["try a", "try b", "unload a"]

    asyncio.run(run())


def test_a_broken_version_shows_its_error_and_the_old_one_goes_on():
    async def run():
        disk = Disk()
        disk.broken.add("b")
        async with opened(disk, {1: "a"}, retries=2) as versions:
            versions.assign("m", {2: "b"})
            await until(lambda: states(versions) == {2: "END", 1: "AVAILABLE"})
            status = versions.statuses("m", 2)[0]
            assert (status.code, status.message) == (Code.DATA_LOSS, "b is broken")
            assert disk.log == ["try a", "try b", "try b", "try b"]
            assert latest(versions) == 1
            versions.assign("m", {2: "b"})  # the next poll does not try again
            await asyncio.sleep(0.05)
            assert len(disk.log) == 4
            versions.assign("m", {})  # it is removed, and put there again
            disk.broken.clear()
            versions.assign("m", {2: "b"})
            await until(lambda: states(versions) == {2: "AVAILABLE", 1: "END"})

    asyncio.run(run())


def test_a_load_that_succeeds_at_the_second_attempt_is_served():
    async def run():
        disk = Disk()
        disk.broken.add("a")
        async with opened(disk, retries=1, retry_seconds=0.2) as versions:
            versions.assign("m", {1: "a"})
            failed = await versions.first_tries(["m"])
            assert [version.number for version in failed] == [1]
            status = versions.statuses("m", 1)[0]
            assert (status.state, status.code) == (State.LOADING, Code.DATA_LOSS)
            disk.broken.clear()
            await until(lambda: states(versions) == {1: "AVAILABLE"})
            assert versions.statuses("m", 1)[0].code == Code.OK

    asyncio.run(run())


def test_a_version_that_is_no_longer_wanted_is_not_tried_again():
    async def run():
        disk = Disk()
        disk.broken.add("a")
        async with opened(disk, {1: "a"}, retries=5, retry_seconds=0.05) as versions:
            versions.assign("m", {})
            await asyncio.sleep(0.2)
            assert disk.log == ["try a"]
            assert states(versions) == {1: "END"}

    asyncio.run(run())


def test_a_load_that_is_given_up_is_unloaded_when_it_ends():
    async def run():
        disk = Disk()
        disk.held["a"] = threading.Event()
        async with opened(disk) as versions:
            versions.assign("m", {1: "a"})
            await asyncio.sleep(0.05)
            versions.assign("m", {})
            disk.held["a"].set()
            await until(lambda: disk.log == ["try a", "unload a"])
            with pytest.raises(ServingError):
                latest(versions)

    asyncio.run(run())


def test_a_model_that_is_removed_is_unloaded_at_once():
    async def run():
        disk = Disk()
        async with opened(disk, {1: "a", 2: "b"}) as versions:
            versions.assign("m", {})
            await until(lambda: states(versions) == {2: "END", 1: "END"})
            assert sorted(disk.log[2:]) == ["unload a", "unload b"]
            with pytest.raises(ServingError, match=r"Could not find any versions of model other"):
                versions.statuses("other", None)

    asyncio.run(run())


def test_an_old_version_that_is_wanted_again_need_not_be_loaded():
    async def run():
        disk = Disk()
        async with replacing(disk) as versions:
            versions.assign("m", {1: "a"})
            assert states(versions)[1] == "AVAILABLE"
            disk.held["b"].set()
            await until(lambda: "unload b" in disk.log)
            assert latest(versions) == 1
            assert disk.log.count("try a") == 1

    asyncio.run(run())
