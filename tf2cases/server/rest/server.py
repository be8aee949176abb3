"""Runs the application on uvicorn, with timeouts and limits for slow, numerous and disconnecting clients.

uvicorn has no timeout for incomplete requests, answers malformed ones in plain text, and does not cancel a request when
its client disconnects. `_Connection` adds this to uvicorn's protocol that uses the parser h11, which limits the size of
headers.
"""

import asyncio
import collections
import contextlib
import functools
import logging
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from tf2cases.server.options import Limits, RestOptions
from tf2cases.server.rest.front import error_response

if TYPE_CHECKING:
    from tf2cases.server.core import Core

# How long a client whose request is refused may go on sending, before the connection is reset.
_LINGER_SECONDS: Final = 2.0
# Files that the process needs besides connections.
_OTHER_FILES: Final = 256


class RestServer:
    """The REST front end: an HTTP server.

    options = RestOptions(port=0)
    server = RestServer(options, Application(core, options))
    await server.start()
    ...  # requests to http://127.0.0.1:{server.port}/v1/models/NAME:predict are answered
    await server.stop()
    """

    def __init__(self, options: RestOptions, application: ASGIApp):
        self._options, self.application = options, application
        self.port = options.port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts listening, and sets `port` to the port number. Raises OSError if the address cannot be used."""
        options = self._options
        addresses = await asyncio.get_running_loop().getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, address = addresses[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        # Only failures of uvicorn itself are reported; what clients do wrong, they are told.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        config = uvicorn.Config(
            self.application,
            interface="asgi3",
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=options.limits.header_bytes,
            # The limits close idle connections.
            timeout_keep_alive=int(options.limits.header_seconds) + 1,
        )
        config.load()
        watch = _Watch(options.limits)
        config.http_protocol_class = functools.partial(_Connection, watch=watch)  # type: ignore[assignment]
        self._server = _Server(config, watch)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.001)
        if self._task.done():
            self._task.result()

    async def stop(self, seconds: float = 8) -> None:
        """Stops accepting connections, and waits up to `seconds` for running requests before it aborts them."""
        if self._server is None or self._task is None:
            return
        self._server.config.timeout_graceful_shutdown = seconds  # type: ignore[assignment]
        self._server.should_exit = True
        await self._task
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        # The transports close in the loop's next round.
        await asyncio.sleep(0)


async def serve(
    core: "Core", options: RestOptions, stop: asyncio.Event, started: Callable[[int], None] | None = None
) -> None:
    """Answers REST requests until `stop` is set.

    Args:
      core: finds and runs models.
      options: the address and limits.
      stop: when it is set, running requests are answered within 8 s, and the function returns.
      started: called with the port number when the server is listening.

    Raises:
      OSError: the address cannot be used.
    """
    from tf2cases.server.rest.application import Application  # loads TensorFlow, which the server itself does not need

    server = RestServer(options, Application(core, options))
    await server.start()
    if started is not None:
        started(server.port)
    try:
        await stop.wait()
    finally:
        await server.stop()


class _Server(uvicorn.Server):
    """uvicorn's server without signal handling; it also closes connections whose timeout has passed."""

    def __init__(self, config: uvicorn.Config, watch: "_Watch"):
        super().__init__(config)
        self._watch = watch

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        self._watch.close_late()
        return await super().on_tick(counter)


class _Watch:
    """The timeouts of all connections.

    Attributes:
      limits: limits on what clients may do.
      waiting: {phase: {connection: time of its timeout}}, the earliest first.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._seconds = {
            "idle": limits.header_seconds,
            "headers": limits.header_seconds,
            "body": limits.body_seconds,
            "client to read": limits.body_seconds,
            "client to close": _LINGER_SECONDS,
        }
        self.waiting: dict[str, collections.OrderedDict[_Connection, float]] = {
            phase: collections.OrderedDict() for phase in self._seconds
        }
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = limits.connections + _OTHER_FILES
        if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.connections = max(
            16, min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES)
        )

    def enter(self, connection: "_Connection", phase: str | None) -> None:
        """Sets what a connection is waiting for from now on; None: for the application."""
        if phase == connection.phase:
            return
        if connection.phase is not None:
            self.waiting[connection.phase].pop(connection, None)
        connection.phase = phase
        if phase is not None:
            self.waiting[phase][connection] = connection.loop.time() + self._seconds[phase]

    def close_late(self) -> None:
        """Closes the connections whose timeout has passed."""
        for phase, connections in self.waiting.items():
            while connections:
                connection, until = next(iter(connections.items()))
                if until > connection.loop.time():
                    break
                connection.close_late(phase)

    def make_room(self) -> bool:
        """Closes the connection that has been idle for longest; tells whether there was one."""
        for phase in ("idle", "headers"):
            for connection in self.waiting[phase]:
                connection.abort()
                return True
        return False


class _Joined:
    """A transport that joins all writes of one iteration of the event loop, such as headers and body."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if data:
            if not self._parts:
                self._loop.call_soon(self.flush)
            self._parts.append(data)

    def flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
            self._parts.clear()
            self._transport.write(data)

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._transport.close()


class _Connection(H11Protocol):
    """A connection with timeouts, whose request is cancelled when the client disconnects.

    Attributes:
      phase: what the connection is waiting for, a key of `_Watch.waiting`; None while the application works.
      task: the task that handles the current request, or None.
      lost: whether the connection is closed.
    """

    def __init__(self, *args: Any, watch: _Watch, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._watch = watch
        self.phase: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.lost = False
        self._refused = False
        self.app_state = {**self.app_state, "connection": self}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        # asyncio does this only for sockets that say they are TCP. Otherwise a body waits for the headers to arrive.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._watch.connections and not self._watch.make_room():
            self._refuse(503, f"The server already has {self._watch.connections} connections; try again later.")
        else:
            self._watch.enter(self, "idle")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._watch.enter(self, None)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        self._note_phase()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note_phase()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch.enter(self, "client to read")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note_phase()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        # uvicorn calls this while it handles the parser's error.
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if status == 431:
            limit = self._watch.limits.header_bytes
            self._refuse(431, f"The headers have more than {limit} bytes, which is the limit.")
        else:
            self._refuse(status, f"The request is not valid HTTP: {error}.")

    def close_late(self, phase: str) -> None:
        """Closes the connection because the timeout of a phase has passed."""
        limits = self._watch.limits
        if phase == "headers":
            self._refuse(408, f"The headers were not complete after {limits.header_seconds:g} s.")
        elif phase == "body":
            self._refuse(408, f"The body was not complete after {limits.body_seconds:g} s.")
        else:
            self.abort()

    def abort(self) -> None:
        """Closes the connection immediately."""
        self._watch.enter(self, None)
        self.transport.abort()

    def _note_phase(self) -> None:
        if self._refused:
            return
        if self.transport.is_closing():
            # What has been written is still sent, if the client reads it.
            self._watch.enter(self, "client to read" if self.transport.get_write_buffer_size() else "client to close")
        elif self.flow.write_paused:
            self._watch.enter(self, "client to read")
        elif self.conn.their_state is h11.SEND_BODY:
            self._watch.enter(self, "body")
        elif self.conn.their_state is h11.IDLE:
            self._watch.enter(self, "headers" if self.conn.trailing_data[0] else "idle")
        else:
            self._watch.enter(self, None)
            if not self.conn.trailing_data[0]:
                # uvicorn pauses reading after a large part of a body; then it would not notice a disconnection.
                self.flow.resume_reading()

    def _refuse(self, status: int, message: str) -> None:
        """Sends an error, and closes the connection after the client has had time to read it."""
        response = error_response(status, message, {"Connection": "close"})
        start = h11.Response(status_code=status, headers=response.raw_headers)
        try:
            events = [start, h11.Data(data=bytes(response.body)), h11.EndOfMessage()]
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
            self.transport.write_eof()
        except (h11.LocalProtocolError, OSError, RuntimeError):
            # The application has already begun to answer.
            self.abort()
            return
        self._refused = True
        self.flow.resume_reading()
        self._watch.enter(self, "client to close")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.task is not None:
            self.lost = True
            self.task.cancel()
