"""Processes that draw captchas.

They are started as separate programs: forking a process with TensorFlow's threads is not safe, and the `spawn` method
of `multiprocessing` would import the main program, and with it TensorFlow, in each. One socket connects a worker to its
parent: when the parent ends, even if killed, its end closes, and the worker exits at its next read or write.
"""

import collections
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NoReturn

from tf2cases import files
from tf2cases.data.captchas import drawing
from tf2cases.data.captchas.drawing import Kind
from tf2cases.errors import RunError

# Pictures per job: few enough for a smooth progress bar and little loss when killed, enough to make the socket's
# overhead negligible.
_CHUNK = 50
# Jobs waiting in a worker's socket, so that it is never idle while the parent is busy.
_AHEAD = 2
# Workers ignore Ctrl-C; the parent handles it.
_PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from tf2cases.data.captchas import workers; workers.serve({})"
)


class Workers:
    """Processes that draw captchas; a context manager that ends them on exit.

    Args:
      count: how many processes, at least 1.
    """

    def __init__(self, count: int):
        self._count = count
        self._processes: dict[Connection, subprocess.Popen] = {}

    def __enter__(self) -> "Workers":
        # The parent's import path, so that a worker finds the same modules.
        path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        try:
            for _ in range(self._count):
                ours, theirs = Pipe()
                with theirs:
                    self._processes[ours] = subprocess.Popen(
                        [sys.executable, "-c", _PROGRAM.format(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        env={**os.environ, "PYTHONPATH": path},
                    )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.kill()  # it has no state to lose
            process.wait()
        self._processes = {}

    def draw(self, kind: Kind, first: int, count: int, form: str) -> Iterator[tuple[str, bytes]]:
        """Draws pictures `first` to `first` + `count` - 1 of a set. Exhaust the iterator before the next call.

        Args:
          kind: the parameters of the set.
          first, count: ints, at least 0.
          form: "grey" for uint8 [height * width] as bytes, "png" for PNG files.

        Yields:
          (text, bytes), in the order of the pictures, whichever worker drew them.

        Raises:
          RunError: a worker failed or was killed.
        """
        starts, drawn = range(first, first + count, _CHUNK), {}
        jobs = collections.deque((start, min(_CHUNK, first + count - start)) for start in starts)
        for _ in range(_AHEAD):
            for connection in self._processes:
                self._hand_out(connection, jobs, kind, form)
        for start in starts:
            while start not in drawn:
                ready: Any = wait(list(self._processes))
                for connection in ready:
                    done, pictures = self._receive(connection)
                    drawn[done] = pictures
                    self._hand_out(connection, jobs, kind, form)
            yield from drawn.pop(start)

    def _hand_out(self, connection: Connection, jobs: collections.deque, kind: Kind, form: str) -> None:
        if jobs:
            try:
                connection.send((kind, *jobs.popleft(), form))
            except OSError:
                self._died(connection)

    def _receive(self, connection: Connection) -> tuple[int, list]:
        try:
            failure, *answer = connection.recv()
        except (EOFError, OSError):
            self._died(connection)
        if failure:
            raise RunError(f"A process that draws captchas failed: {failure}.")
        return answer

    def _died(self, connection: Connection) -> NoReturn:
        status = self._processes[connection].wait()
        raise RunError(
            f"A process that draws captchas ended with exit status {status} before its work was done."
        ) from None


def serve(descriptor: int) -> None:
    """Runs in a worker: draws the pictures requested through the socket until its other end closes."""
    drawers = {}
    # These errors mean that the parent has ended.
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        while True:
            kind, first, count, form = connection.recv()
            try:
                if kind not in drawers:
                    drawers = {kind: drawing.drawer(kind)}
                pictures = [drawers[kind](index, form) for index in range(first, first + count)]
            except Exception as error:  # report any error of the package or Pillow to the parent
                connection.send((files.reason(error), None, None))
            else:
                connection.send((None, first, pictures))
