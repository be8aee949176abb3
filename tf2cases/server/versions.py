"""The life cycle of models' versions: loading with retries, leases for requests, unloading.

`Versions.assign` sets the versions of a model to serve. A new version is loaded and warmed up in a thread. Versions
that should no longer be served are unloaded when one of the new ones is available, each after its last request.

All methods run in the event loop's thread; only the loading and unloading themselves run in other threads.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.specs import State, VersionStatus

_MOST_ENDED = 100  # ended versions per model that the status still shows
_log = logging.getLogger(__name__)


class Version:
    """A version of a model.

    Attributes:
      name, number, path: the model's name, and the version's number and folder.
      status: the current state.
      loaded: what `load` returned, while the version is available; otherwise None.
      first_try: set after the first attempt to load the version.
    """

    def __init__(self, name: str, number: int, path: str):
        self.name, self.number, self.path = name, number, path
        self.status = VersionStatus(number, State.START)
        self.loaded: Any = None
        self.first_try = asyncio.Event()
        self.task: asyncio.Task | None = None
        self.leases = 0

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.number}}}"

    def enter(self, state: State, code: Code = Code.OK, message: str = "") -> None:
        self.status = VersionStatus(self.number, state, code, message)


class Versions:
    """All versions of all models."""

    def __init__(
        self,
        load: Callable[[str, str], Any],
        unload: Callable[[Any], None],
        executor: Executor,
        retries: int,
        retry_seconds: float,
    ):
        """Creates an empty collection.

        Args:
          load: called in a thread with a model's name and a version's folder; raises ServingError if it fails.
          unload: called in a thread with what `load` returned.
          executor: runs `load` and `unload`.
          retries: the number of retries of a failed load.
          retry_seconds: the time between two attempts.
        """
        self._load, self._unload, self._executor = load, unload, executor
        self._retries, self._retry_seconds = retries, retry_seconds
        self._wanted: dict[str, dict[int, Version]] = {}
        self._leaving: dict[str, dict[int, Version]] = {}  # no longer assigned, but still loaded
        self._ended: dict[str, dict[int, VersionStatus]] = {}
        self._unloads: set[asyncio.Task] = set()

    def assign(self, name: str, folders: Mapping[int, str]) -> None:
        """Sets the versions of a model to serve, {number: folder}."""
        wanted, leaving = self._wanted.setdefault(name, {}), self._leaving.setdefault(name, {})
        for number in [number for number, version in wanted.items() if folders.get(number) != version.path]:
            self._dismiss(wanted.pop(number))
        for number, folder in folders.items():
            back = leaving.get(number)
            if number in wanted or (back and back.path != folder):
                continue  # a version of the same number, in another folder, must be gone first
            if back and back.status.state == State.AVAILABLE:
                wanted[number] = leaving.pop(number)
            elif not back:
                version = wanted[number] = Version(name, number, folder)
                version.task = asyncio.create_task(self._bring(version))
                version.task.add_done_callback(_report)
        self._settle(name)

    async def first_tries(self, names: Any) -> list[Version]:
        """Waits for the first attempt to load each assigned version; returns the versions that are not available."""
        versions = [version for name in names for version in self._wanted.get(name, {}).values()]
        for version in versions:
            await version.first_try.wait()
        return [version for version in versions if version.status.state != State.AVAILABLE]

    def available(self, name: str) -> list[int]:
        """Returns the numbers of a model's assigned versions that are loaded."""
        return [number for number in self._wanted.get(name, {}) if self.is_available(name, number)]

    def is_available(self, name: str, number: int) -> bool:
        version = self._wanted.get(name, {}).get(number)
        return version is not None and version.status.state == State.AVAILABLE

    @contextlib.contextmanager
    def lease(self, name: str, number: int | None) -> Iterator[Version]:
        """Yields an available version, the newest if no number is given; it stays loaded within the `with` block.

        Raises:
          ServingError: NOT_FOUND, there is no such version.
        """
        version = self._find(name, number)
        version.leases += 1
        try:
            yield version
        finally:
            version.leases -= 1
            if not version.leases and self._leaving.get(name, {}).get(version.number) is version:
                self._settle(name)

    def statuses(self, name: str, number: int | None) -> list[VersionStatus]:
        """Returns the status of each version of a model, or of one, newest first, including unloaded and failed ones.

        Raises:
          ServingError: NOT_FOUND, there is no such model or version.
        """
        found = dict(self._ended.get(name, {}))
        for versions in (self._leaving.get(name, {}), self._wanted.get(name, {})):
            found |= {version.number: version.status for version in versions.values()}
        if number is not None:
            if number not in found:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {number} of model {name}")
            return [found[number]]
        if not found:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        return [found[number] for number in sorted(found, reverse=True)]

    async def close(self) -> None:
        """Stops loading, and unloads all versions that are not leased."""
        for name in list(self._wanted):
            self.assign(name, {})
        while self._unloads:
            await asyncio.wait(self._unloads)

    def _find(self, name: str, number: int | None) -> Version:
        candidates = [*self._wanted.get(name, {}).values(), *self._leaving.get(name, {}).values()]
        found = [version for version in candidates if version.status.state == State.AVAILABLE]
        if number is not None:
            found = [version for version in found if version.number == number]
        if not found:
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
        return max(found, key=lambda version: version.number)

    async def _bring(self, version: Version) -> None:
        """Loads a version, with retries."""
        loop = asyncio.get_running_loop()
        version.enter(State.LOADING)
        try:
            for attempt in range(self._retries + 1):
                if attempt:
                    await asyncio.sleep(self._retry_seconds)
                start = time.monotonic()
                try:
                    version.loaded = await self._uninterrupted(
                        loop.run_in_executor(self._executor, self._load, version.name, version.path)
                    )
                except ServingError as error:
                    rest = self._retries - attempt
                    state = State.LOADING if rest else State.END
                    version.enter(state, error.code, error.message)
                    again = f"{rest} retries left" if rest else "giving up"
                    _log.error("loading %s failed: %s; %s", version, error.message, again)
                    version.first_try.set()
                    continue
                version.enter(State.AVAILABLE)
                _log.info("loaded %s from %s in %.1f s", version, version.path, time.monotonic() - start)
                self._settle(version.name)
                return
        finally:
            version.first_try.set()

    async def _uninterrupted(self, loading: asyncio.Future) -> Any:
        """Awaits a load. If the task is cancelled, the version is unloaded as soon as it is loaded."""
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:

            def take_away(done: asyncio.Future) -> None:
                if not done.cancelled() and not done.exception():
                    self._executor.submit(self._unload, done.result())

            loading.add_done_callback(take_away)
            raise

    def _dismiss(self, version: Version) -> None:
        """Handles a version that should no longer be served."""
        if version.status.state == State.AVAILABLE:
            self._leaving[version.name][version.number] = version
            return
        if version.task:
            version.task.cancel()
        self._end(version)

    def _settle(self, name: str) -> None:
        """Unloads old versions, if an assigned version is available or none is assigned."""
        wanted = self._wanted.get(name, {})
        replaced = not wanted or any(version.status.state == State.AVAILABLE for version in wanted.values())
        for version in list(self._leaving.get(name, {}).values()):
            if version.status.state == State.AVAILABLE and replaced:
                version.enter(State.UNLOADING)
            if version.status.state == State.UNLOADING and not version.leases and version.loaded is not None:
                loaded, version.loaded = version.loaded, None
                task = asyncio.create_task(self._take_away(version, loaded))
                self._unloads.add(task)
                task.add_done_callback(self._unloads.discard)

    async def _take_away(self, version: Version, loaded: Any) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._unload, loaded)
        finally:
            self._leaving[version.name].pop(version.number, None)
            self._end(version)
            _log.info("unloaded %s", version)

    def _end(self, version: Version) -> None:
        status = version.status
        ended = self._ended.setdefault(version.name, {})
        ended[version.number] = VersionStatus(version.number, State.END, status.code, status.message)
        while len(ended) > _MOST_ENDED:
            del ended[min(ended)]


def _report(task: asyncio.Task) -> None:
    """Logs an unexpected error of a load, which would otherwise be lost."""
    if not task.cancelled() and task.exception():
        _log.error("loading failed", exc_info=task.exception())
