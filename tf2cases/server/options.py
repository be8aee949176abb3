"""What the front ends can be told."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a client may do.

    Attributes:
      body_bytes: size of a gRPC message.
      rest_body_bytes: size of an HTTP body, before and after it is unpacked; parsing it takes about ten times as much.
      rest_buffered_bytes: size of all HTTP bodies together that are being read.
      concurrent_requests: requests that are read or answered at a time; others are told UNAVAILABLE (503).
      header_bytes: size of an HTTP request's headers.
      header_seconds: time for an HTTP request's headers; an idle connection is closed after this as well.
      body_seconds: time for an HTTP request's body.
      connections: open HTTP connections; a further one replaces the one that is idle for longest.
    """

    body_bytes: int = 2**31 - 1
    rest_body_bytes: int = 64 * 2**20
    rest_buffered_bytes: int = 256 * 2**20
    concurrent_requests: int = 1000
    header_bytes: int = 64 * 1024
    header_seconds: float = 60
    body_seconds: float = 300
    connections: int = 4000


@dataclasses.dataclass(frozen=True)
class RestOptions:
    """Options of the REST front end.

    Attributes:
      host, port: where it listens; port 0 takes a free one.
      timeout_ms: time for a request, `--rest_api_timeout_in_ms`; then 504... as the real server has it.
      cors: `--rest_api_enable_cors_support`.
      limits: what a client may do.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    timeout_ms: int = 30000
    cors: bool = False
    limits: Limits = Limits()
