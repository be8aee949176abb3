"""Processes that draw captchas.

They are started as programs of their own: a fork of a process with TensorFlow's threads is not safe, and the `spawn`
of `multiprocessing` would import the main program, and with it TensorFlow, in each. What ties a worker to its parent is
one socket: when the parent goes, even killed, its end closes, and the worker ends with its next read or write.
"""

import collections
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NoReturn

from tf2cases.data.captchas import drawing
from tf2cases.data.captchas.drawing import Kind
from tf2cases.errors import RunError

# Small enough for a progress bar and for killing without much loss, large enough that the socket costs nothing.
_CHUNK = 50
# Jobs waiting in a worker's socket, so that it is never idle while the parent is busy.
_AHEAD = 2
# Ctrl-C reaches the parent, which decides.
_PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from tf2cases.data.captchas import workers; workers.serve({})"
)


class Workers:
    """Processes that draw captchas. As a context manager, it ends them when it is left.

    Args:
      count: how many, at least 1.
    """

    def __init__(self, count: int):
        self._count = count
        self._processes: dict[Connection, subprocess.Popen] = {}

    def __enter__(self) -> "Workers":
        # The parent's path of imports: a worker finds what the parent finds.
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
            process.kill()  # it holds nothing that could be lost
            process.wait()
        self._processes = {}

    def draw(self, kind: Kind, first: int, count: int, form: str) -> Iterator[tuple[str, bytes]]:
        """Draws pictures `first` to `first` + `count` - 1 of a set. Only one call may run at a time, and to its end.

        Args:
          kind: what they have in common.
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
    """Runs in a worker: draws what is asked for through the socket until its other end closes."""
    drawers = {}
    # These errors say that the parent is gone.
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        while True:
            kind, first, count, form = connection.recv()
            try:
                if kind not in drawers:
                    drawers = {kind: drawing.drawer(kind)}
                pictures = [drawers[kind](index, form) for index in range(first, first + count)]
            except Exception as error:  # whatever the package and Pillow raise, the parent is to know
                text = " ".join(str(error).split()).rstrip(".")
                connection.send((f"{type(error).__name__}: {text}", None, None))
            else:
                connection.send((None, first, pictures))
