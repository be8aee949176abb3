"""Runs requests in a small pool of threads, so that the event loop is free meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol

import numpy as np

from tf2cases.server.saved_model import SavedModel


class Runner(Protocol):
    """Runs the requests of one loaded version."""

    async def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Computes tensors, see `SavedModel.run`; cancelled before it has begun, it computes nothing."""


class Direct:
    """Runs each request on its own."""

    def __init__(self, model: SavedModel, executor: Executor):
        self._model, self._executor = model, executor

    async def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """See `Runner`."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._model.run, feeds, fetches)
