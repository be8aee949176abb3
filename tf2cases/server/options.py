"""The options of the server, independent of the program's flags."""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class CoreOptions:
    """Options of the core.

    Attributes:
      config_file: path of a text file with a ModelServerConfig, or None.
      name, base_path: the model's name and base path, if there is no config file.
      config_poll_seconds, poll_seconds: the periods at which the config file and the base paths are read; 0: only once.
      retries, retry_seconds: the number of retries of a failed load, and the time between them.
      lenient_labels: whether a new label may be assigned to a version that is not loaded.
      batching: whether requests are combined into batches.
      batching_file: path of a text file with BatchingParameters, or None.
      batching_per_model: whether each version has its own such file; versions without it are not batched.
      warmup, warmup_iterations: whether warm-up records are replayed, and how many times.
      tags: the tags of the meta graph to load.
      check_methods: whether a signature's method name must match the request.
      threads: the number of requests that are computed concurrently without batching.
      intra_op, inter_op: the numbers of TensorFlow's threads; 0: TensorFlow decides.
      gpu_fraction: the fraction of GPU memory that the process reserves; 0: it allocates as needed.
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
    """Limits on what clients may do.

    Attributes:
      body_bytes: maximum size of a gRPC message.
      rest_body_bytes: maximum size of an HTTP body, before and after decompression; parsing may take 50 times as much.
      rest_buffered_bytes: maximum total size of the bodies of all HTTP requests in progress.
      concurrent_requests: maximum number of requests in progress; others get 503 or RESOURCE_EXHAUSTED.
      header_bytes: maximum size of an HTTP request's headers.
      header_seconds: timeout for an HTTP request's headers, and for idle connections.
      body_seconds: timeout for an HTTP request's body.
      connections: maximum number of HTTP connections; a new one replaces the one that has been idle for longest.
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
      host, port: the address to listen on; port 0: any free port.
      timeout_ms: timeout for a request, see `--rest_api_timeout_in_ms`.
      cors: whether CORS headers are sent, see `--rest_api_enable_cors_support`.
      limits: limits on what clients may do.
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
      addresses: where to listen, such as "127.0.0.1:8500" and "unix:/run/serving.sock"; port 0: any free port.
      channel_arguments: the gRPC library's channel arguments.
      ssl_file: path of a text file with an SSLConfig, or None.
      health: whether the health service is available.
      tensor_content: whether responses use `tensor_content` instead of typed value fields.
      limits: limits on what clients may do.
    """

    addresses: tuple[str, ...] = ("127.0.0.1:8500",)
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    ssl_file: str | None = None
    health: bool = False
    tensor_content: bool = False
    limits: Limits = Limits()
