"""What the server can be told: the flags of the program, without their names and without absl."""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class CoreOptions:
    """Options of the core.

    Attributes:
      config_file: a text file with a ModelServerConfig, or None.
      name, base_path: of the only model, if there is no config file.
      config_poll_seconds, poll_seconds: how often the config file and the base paths are read; 0 only at the start.
      retries, retry_seconds: how often a failed load is repeated, and after what time.
      lenient_labels: whether a new label may belong to a version that is not loaded.
      batching: whether requests are joined into batches.
      batching_file: a text file with BatchingParameters, or None.
      batching_per_model: whether versions have such a file of their own; without it, they are not batched.
      warmup, warmup_iterations: whether warm-up records are run, and how often each.
      tags: of the SavedModels' meta graphs.
      check_methods: whether a signature's method name must fit the request.
      threads: how many requests are computed at a time without batching.
      intra_op, inter_op: TensorFlow's threads; 0 chooses them.
      gpu_fraction: the part of a GPU's memory for the process; 0 lets it grow.
      metrics_path: the REST path of the metrics, or None.
    """

    config_file: str | None = None
    name: str = "default"
    base_path: str = ""
    config_poll_seconds: float = 0
    poll_seconds: float = 1
    retries: int = 5
    retry_seconds: float = 60
    lenient_labels: bool = False
    batching: bool = False
    batching_file: str | None = None
    batching_per_model: bool = False
    warmup: bool = True
    warmup_iterations: int = 1
    tags: tuple[str, ...] = ("serve",)
    check_methods: bool = False
    threads: int = os.cpu_count() or 1
    intra_op: int = 0
    inter_op: int = 0
    gpu_fraction: float = 0
    metrics_path: str | None = None


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a client may do.

    Attributes:
      body_bytes: size of a gRPC message.
      rest_body_bytes: size of an HTTP body, before and after it is unpacked; parsing may take twenty times as much.
      rest_buffered_bytes: size of the bodies of all HTTP requests that are being read or answered.
      concurrent_requests: requests that are read or answered at a time; others are refused (503, RESOURCE_EXHAUSTED).
      header_bytes: size of an HTTP request's headers.
      header_seconds: time for an HTTP request's headers; an idle connection is closed after this as well.
      body_seconds: time for an HTTP request's body.
      connections: open HTTP connections; a further one replaces the one that is idle for longest.
    """

    body_bytes: int = 2**31 - 1
    rest_body_bytes: int = 32 * 2**20
    rest_buffered_bytes: int = 128 * 2**20
    concurrent_requests: int = 1000
    header_bytes: int = 64 * 1024
    header_seconds: float = 60
    body_seconds: float = 300
    connections: int = 20000


@dataclasses.dataclass(frozen=True)
class RestOptions:
    """Options of the REST front end.

    Attributes:
      host, port: where it listens; port 0 takes a free one.
      timeout_ms: time for a request, `--rest_api_timeout_in_ms`.
      cors: `--rest_api_enable_cors_support`.
      limits: what a client may do.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    timeout_ms: int = 30000
    cors: bool = False
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class GrpcOptions:
    """Options of the gRPC front end.

    Attributes:
      addresses: where it listens, such as "127.0.0.1:8500" and "unix:/run/serving.sock"; port 0 takes a free one.
      channel_arguments: of the gRPC library.
      ssl_file: a text file with an SSLConfig, or None.
      health: whether the health service is offered.
      tensor_content: whether answers have `tensor_content` instead of typed value fields.
      limits: what a client may do.
    """

    addresses: tuple[str, ...] = ("127.0.0.1:8500",)
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    ssl_file: str | None = None
    health: bool = False
    tensor_content: bool = False
    limits: Limits = Limits()
