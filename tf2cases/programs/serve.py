"""Serves SavedModels over gRPC and REST: a stand-in for tensorflow_model_server, for development and tests.

    python -m bin.serve --model_name=digits --model_base_path=exports/digits
    python -m bin.serve --model_base_path=exports
    python -m bin.serve --model_config_file=models.config --enable_batching --batching_parameters_file=batching.txt

    python -m bin.serve
    python -m bin.serve --backend=http://localhost:8501 --models=exports --rest_api_port=8601

At / on the REST port is a page on which the models can be tried, the playground. Without a model, a small classifier of
digits is served. With --backend, no model is served, and the page is in front of another server.

It has the flags and config files of tensorflow_model_server and answers the same requests, so clients and
configurations that work with one also work with the other. It serves any SavedModel. In addition, if --model_base_path
has no versions but its sub-folders have, each sub-folder is a model.

On SIGTERM or Ctrl-C it stops listening, answers the requests in progress, and exits within ten seconds.
"""

import asyncio
import contextlib
import functools
import gc
import importlib.util
import logging
import os
import resource
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from absl import flags

from tf2cases import files, playground, quiet
from tf2cases.configs import path_flags
from tf2cases.errors import RunError, UsageError

if TYPE_CHECKING:
    from tf2cases.server.core import Core
    from tf2cases.server.options import Limits

_LIBRARIES = {
    "tensorflow_serving": "tensorflow-serving-api",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "h11": "h11",
    "orjson": "orjson",
    "httpx": "httpx",
}
_METRICS_PATH = "/monitoring/prometheus/metrics"
_GRACE_SECONDS = 8  # for the requests that are in progress when the server is stopped
_END_SECONDS = 9.5  # after this, the process exits even if its threads are still computing
_FILES = 65536  # the number of open files, such as connections, if the system allows it

# Flags of tensorflow_model_server that mean nothing here.
_IGNORED_BOOLS = (
    "flush_filesystem_caches",
    "use_alts_credentials",
    "remove_unused_fields_from_bundle_metagraph",
    "prefer_tflite_model",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
    "enable_profiler",
    "skip_initialize_tpu",
    "enforce_session_run_timeout",
)
_IGNORED_NUMBERS = ("num_load_threads", "num_unload_threads", "num_tflite_pools", "num_tflite_interpreters_per_pool")
_IGNORED_PATHS = ("tensorflow_session_config_file", "platform_config_file", "thread_pool_factory_config_file")
_IGNORED_TEXTS = ("mixed_precision",)
_IGNORED = (*_IGNORED_BOOLS, *_IGNORED_NUMBERS, *_IGNORED_PATHS, *_IGNORED_TEXTS)


# Flags that have an effect with --backend, besides the limits of HTTP.
_WITH_BACKEND = (
    "backend",
    "models",
    "host",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "rest_api_enable_cors_support",
    "debug",
)

_MOST = 2**31 - 1  # of the integer flags; the real server's have 32 bits


def define(values: flags.FlagValues) -> None:
    text: Any = dict(flag_values=values)
    path_flags.define(
        "model_base_path", None, "Folder with the versions of a model.", path_flags.OTHER, may_be_empty=True, **text
    )
    flags.DEFINE_string("model_name", "default", "Name of the model.", **text)
    flags.DEFINE_string(
        "backend", None, "http://HOST:PORT of another server's REST port; the playground asks it.", **text
    )
    path_flags.define(
        "models",
        None,
        "The models of --backend: the folder with their exports, or their names, separated by commas.",
        path_flags.OTHER,
        may_be_empty=True,
        **text,
    )
    path_flags.define(
        "model_config_file",
        None,
        "Text file with a ModelServerConfig; it replaces --model_name and --model_base_path.",
        path_flags.READ,
        may_be_empty=True,
        **text,
    )
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0: all addresses.", **text)
    flags.DEFINE_integer("port", 8500, "Port for gRPC; 0: none.", 0, 65535, **text)
    flags.DEFINE_integer("rest_api_port", 8501, "Port for REST; 0: none.", 0, 65535, **text)
    path_flags.define(
        "grpc_socket_path",
        None,
        "Path of a Unix socket on which gRPC is offered in addition.",
        path_flags.OTHER,
        may_be_empty=True,
        **text,
    )
    flags.DEFINE_string(
        "grpc_channel_arguments", "", "Channel arguments for the gRPC library: key=value,key=value.", **text
    )
    _define_times(values)
    _define_execution(values)
    _define_services(values)
    _define_limits(values)
    for name in _IGNORED_BOOLS:
        flags.DEFINE_bool(name, None, "Ignored.", **text)
    for name in _IGNORED_NUMBERS:
        flags.DEFINE_integer(name, None, "Ignored.", None, _MOST, **text)
    for name in _IGNORED_PATHS:
        path_flags.define(name, None, "Ignored.", path_flags.OTHER, may_be_empty=True, **text)
    for name in _IGNORED_TEXTS:
        flags.DEFINE_string(name, None, "Ignored.", **text)


def _define_times(values: flags.FlagValues) -> None:
    text: Any = dict(flag_values=values)
    flags.DEFINE_integer(
        "rest_api_timeout_in_ms", 30000, "Timeout of a REST request in milliseconds; 0: none.", 0, _MOST, **text
    )
    flags.DEFINE_integer(
        "file_system_poll_wait_seconds",
        1,
        "Period at which base paths are searched for versions; 0: only once.",
        None,
        _MOST,
        **text,
    )
    flags.DEFINE_integer(
        "model_config_file_poll_wait_seconds",
        0,
        "Period at which --model_config_file is read; 0: only once.",
        None,
        _MOST,
        **text,
    )
    flags.DEFINE_integer("max_num_load_retries", 5, "Number of retries if loading a version fails.", 0, _MOST, **text)
    flags.DEFINE_integer(
        "load_retry_interval_micros",
        60_000_000,
        "Time between two attempts to load a version, in microseconds.",
        None,
        _MOST,
        **text,
    )


def _define_execution(values: flags.FlagValues) -> None:
    text: Any = dict(flag_values=values)
    flags.DEFINE_bool("enable_batching", False, "Combine requests into batches.", **text)
    path_flags.define(
        "batching_parameters_file",
        None,
        "Text file with BatchingParameters.",
        path_flags.READ,
        may_be_empty=True,
        **text,
    )
    flags.DEFINE_bool(
        "enable_per_model_batching_parameters",
        False,
        "Read the batching parameters from batching_params.pbtxt in each version's folder; versions without it are not "
        "batched.",
        **text,
    )
    for flag, front in (("rest_api_num_threads", "REST"), ("grpc_max_threads", "gRPC")):
        help_text = (
            f"Number of {front} requests computed concurrently without batching; the larger of the two flags counts."
        )
        flags.DEFINE_integer(flag, None, f"{help_text} By default, the number of processors.", 1, _MOST, **text)
    for name in ("session", "intra_op", "inter_op"):
        flags.DEFINE_integer(
            f"tensorflow_{name}_parallelism",
            0,
            "Number of TensorFlow's threads; 0: TensorFlow decides.",
            0,
            _MOST,
            **text,
        )
    flags.DEFINE_float(
        "per_process_gpu_memory_fraction",
        0,
        "Fraction of GPU memory to reserve; 0: allocate it as needed.",
        0,
        1,
        **text,
    )
    flags.DEFINE_bool("enable_model_warmup", True, "Replay a version's warm-up records before serving it.", **text)
    flags.DEFINE_integer(
        "num_request_iterations_for_warmup", 1, "How many times each warm-up record is replayed.", 0, _MOST, **text
    )
    flags.DEFINE_string("saved_model_tags", "serve", "Tags of the meta graph to load, separated by commas.", **text)


def _define_services(values: flags.FlagValues) -> None:
    text: Any = dict(flag_values=values)
    flags.DEFINE_bool(
        "allow_version_labels_for_unavailable_models",
        False,
        "Allow new version labels for versions that are not loaded yet.",
        **text,
    )
    flags.DEFINE_bool(
        "enable_signature_method_name_check",
        False,
        "Refuse requests that do not match the signature's method name.",
        **text,
    )
    flags.DEFINE_bool(
        "enable_serialization_as_tensor_content", False, "Use tensor_content in gRPC responses to Predict.", **text
    )
    flags.DEFINE_bool("enable_grpc_healthcheck_service", False, "Offer gRPC's health checking service.", **text)
    flags.DEFINE_bool(
        "rest_api_enable_cors_support",
        False,
        "Send CORS headers, so that web pages of any origin may use REST.",
        **text,
    )
    path_flags.define(
        "monitoring_config_file", None, "Text file with a MonitoringConfig.", path_flags.READ, may_be_empty=True, **text
    )
    path_flags.define(
        "ssl_config_file", None, "Text file with an SSLConfig for gRPC.", path_flags.READ, may_be_empty=True, **text
    )


_LIMITS = {
    "body_bytes": ("max_message_bytes", "Maximum size of a gRPC message."),
    "rest_body_bytes": ("max_body_bytes", "Maximum size of an HTTP body, also after decompression."),
    "rest_buffered_bytes": ("max_buffered_bytes", "Maximum total size of the bodies of all HTTP requests in progress."),
    "concurrent_requests": ("max_concurrent_requests", "Maximum number of requests in progress, per port."),
    "header_bytes": ("max_header_bytes", "Maximum size of an HTTP request's headers."),
    "header_seconds": ("header_timeout_seconds", "Timeout for an HTTP request's headers, and for idle connections."),
    "body_seconds": ("body_timeout_seconds", "Timeout for an HTTP request's body."),
    "connections": ("max_connections", "Maximum number of HTTP connections; a new one replaces an idle one."),
}
"""{field of `Limits`: (flag, help)}."""
_LIMIT_DEFAULTS = (2**31 - 1, 32 << 20, 128 << 20, 1000, 64 << 10, 60, 300, 20000)


def _define_limits(values: flags.FlagValues) -> None:
    for (flag, help_text), default in zip(_LIMITS.values(), _LIMIT_DEFAULTS, strict=True):
        flags.DEFINE_integer(flag, default, help_text, 1, _MOST, flag_values=values)


def main(values: flags.FlagValues) -> None:
    _check(values)
    missing = [name for module, name in _LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UsageError(f"serving needs {', '.join(missing)}: pip install 'tf2cases[serving]'.")
    logging.basicConfig(format="%(levelname).1s %(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in _IGNORED:
        if values[name].present:
            print(f"--{name} is ignored: it has no effect here.", file=sys.stderr)
    logging.getLogger("tf2cases.server").setLevel(logging.INFO)
    _raise_limit_of_files()
    if values.backend is not None:
        asyncio.run(_serve_page(values))
        return
    quiet.import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    asyncio.run(_serve(values))


def _check(values: flags.FlagValues) -> None:
    if values.backend is not None:
        _check_backend(values)
        return
    if values.models:
        raise UsageError(f"--models is {values.models!r}, but needs --backend; --model_base_path serves models here.")
    if not values.model_base_path and not values.model_config_file:
        # A script whose variable is empty should not serve the package's model instead.
        if values["model_base_path"].present:
            raise UsageError("--model_base_path is '', but must be the folder with the versions of a model.")
        if values["model_name"].present:
            raise UsageError(f"--model_name is {values.model_name!r}, but needs --model_base_path.")
    if values.port == values.rest_api_port != 0:
        raise UsageError(f"--port and --rest_api_port are both {values.port}, but must be different.")
    if not values.port and not values.rest_api_port and not values.grpc_socket_path:
        raise UsageError("--port and --rest_api_port are 0, but one of them, or --grpc_socket_path, is required.")
    for flag in ("batching_parameters_file", "enable_per_model_batching_parameters"):
        if values[flag].value and not values.enable_batching:
            raise UsageError(f"--{flag} requires --enable_batching, which is not given.")
    _channel_arguments(values.grpc_channel_arguments)


def _check_backend(values: flags.FlagValues) -> None:
    of_http = (flag for field, (flag, _) in _LIMITS.items() if field != "body_bytes")
    used = {*_WITH_BACKEND, *of_http}
    for name in values:
        if values[name].present and name not in used and name not in _IGNORED:
            raise UsageError(f"--{name} has no effect with --backend, since no model is served here.")
    if not values.models:
        raise UsageError(
            "--backend needs --models: the folder with the exports, or the names of the models, separated by commas."
        )
    if not values.rest_api_port:
        raise UsageError("--rest_api_port is 0, but --backend needs a port for the page.")


def _channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """Reads "key=value,key=value"; values that are integers become numbers."""
    arguments: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise UsageError(
                f"--grpc_channel_arguments is {text!r}, but must consist of key=value, separated by commas."
            )
        try:
            arguments.append((key, int(value)))
        except ValueError:
            arguments.append((key, value))
    return tuple(arguments)


async def _serve(values: flags.FlagValues) -> None:
    """Starts everything, waits for a signal, and stops everything."""
    from tf2cases.playground.site import Site
    from tf2cases.server.core import Core
    from tf2cases.server.grpc_front import GrpcFront
    from tf2cases.server.rest.application import Application
    from tf2cases.server.rest.server import RestServer

    gc.freeze()  # otherwise, each unload stalls all requests while TensorFlow's 300,000 objects are collected
    stopped = _stopped_by_signals()
    print("serve is for development and tests; use tensorflow_model_server in production.", flush=True)
    core = Core(_core_options(values))
    fronts: list[GrpcFront | RestServer] = []
    try:
        if not await _unless(stopped, core.start()):
            return
        where = []
        if grpc_options := _grpc_options(values):
            fronts.append(GrpcFront(core, grpc_options))
            await fronts[-1].start()
            where.append(f"gRPC at {', '.join(grpc_options.addresses)}")
        if values.rest_api_port:
            options = _rest_options(values)
            fronts.append(RestServer(options, Site(Application(core, options), functools.partial(_models, core))))
            await _started_at(values, fronts[-1])
            where.append(f"REST at http://{_address(values.host, values.rest_api_port)}")
        print(f"{_served(core)}; {', '.join(where)}", flush=True)
        if values.rest_api_port:
            print(f"The playground is at http://{_address(values.host, values.rest_api_port)}/", flush=True)
        await stopped.wait()
    finally:
        _end_soon()
        await asyncio.gather(*(front.stop(_GRACE_SECONDS) for front in fronts))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(core.close(), 1)


async def _serve_page(values: flags.FlagValues) -> None:
    """Shows the page in front of another server, until a signal."""
    from tf2cases.playground.listing import Backend
    from tf2cases.playground.site import Site
    from tf2cases.server.rest.forward import Forwarder
    from tf2cases.server.rest.server import RestServer

    stopped, options = _stopped_by_signals(), _rest_options(values)
    async with Forwarder(values.backend, options) as forwarder:
        models = Backend(values.models, forwarder.metadata)
        front = RestServer(options, Site(forwarder, models))
        await _started_at(values, front)
        page = f"http://{_address(values.host, values.rest_api_port)}/"
        print(f"serving the playground at {page}, whose requests go to {values.backend}", flush=True)
        try:
            await stopped.wait()
        finally:
            _end_soon()
            await front.stop(_GRACE_SECONDS)


async def _models(core: "Core") -> list[dict[str, Any]]:
    """The newest available version of each model, for the page."""
    from tf2cases.playground import listing
    from tf2cases.server.specs import ModelSpec

    found = []
    for name in sorted(name for name, versions in core.served().items() if versions):
        with core.lease(ModelSpec(name)) as servable:
            found.append(listing.described(name, servable.version, listing.of(servable.signatures), servable.path))
    return found


def _stopped_by_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _end_soon() -> None:
    """Ends the process after a while even if threads are computing; the interpreter would wait for them."""
    last = threading.Timer(_END_SECONDS, os._exit, [0])
    last.daemon = True
    last.start()


async def _unless(stopped: asyncio.Event, coroutine) -> bool:
    """Awaits a coroutine; returns whether it finished before the server was stopped."""
    work, stop = asyncio.ensure_future(coroutine), asyncio.ensure_future(stopped.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not work.done():
        work.cancel()
        return False
    work.result()
    return True


async def _started_at(values: flags.FlagValues, front) -> None:
    try:
        await front.start()
    except OSError as error:
        raise RunError(
            f"cannot listen at {_address(values.host, values.rest_api_port)} for REST: {files.reason(error)}."
        ) from error


def _core_options(values: flags.FlagValues):
    from tf2cases.server import messages
    from tf2cases.server.options import CoreOptions

    metrics_path = None
    if values.monitoring_config_file:
        config = messages.read(values.monitoring_config_file, messages.MonitoringConfig()).prometheus_config
        metrics_path = (config.path or _METRICS_PATH) if config.enable else None
    threads = max(values.rest_api_num_threads or 0, values.grpc_max_threads or 0) or os.cpu_count() or 1
    session = values.tensorflow_session_parallelism
    return CoreOptions(
        config_file=values.model_config_file,
        name=values.model_name,
        base_path=values.model_base_path or str(playground.MODELS),
        config_poll_seconds=values.model_config_file_poll_wait_seconds,
        poll_seconds=values.file_system_poll_wait_seconds,
        retries=values.max_num_load_retries,
        retry_seconds=values.load_retry_interval_micros / 1e6,
        lenient_labels=values.allow_version_labels_for_unavailable_models,
        batching=values.enable_batching,
        batching_file=values.batching_parameters_file,
        batching_per_model=values.enable_per_model_batching_parameters,
        warmup=values.enable_model_warmup,
        warmup_iterations=values.num_request_iterations_for_warmup,
        tags=tuple(values.saved_model_tags.split(",")),
        check_methods=values.enable_signature_method_name_check,
        threads=threads,
        intra_op=values.tensorflow_intra_op_parallelism or session,
        inter_op=values.tensorflow_inter_op_parallelism or session,
        gpu_fraction=values.per_process_gpu_memory_fraction,
        metrics_path=metrics_path,
    )


def _grpc_options(values: flags.FlagValues):
    from tf2cases.server.options import GrpcOptions

    addresses = [_address(values.host, values.port)] if values.port else []
    if values.grpc_socket_path:
        addresses.append(f"unix:{values.grpc_socket_path}")
    if not addresses:
        return None
    return GrpcOptions(
        addresses=tuple(addresses),
        channel_arguments=_channel_arguments(values.grpc_channel_arguments),
        ssl_file=values.ssl_config_file,
        health=values.enable_grpc_healthcheck_service,
        tensor_content=values.enable_serialization_as_tensor_content,
        limits=_limits(values),
    )


def _rest_options(values: flags.FlagValues):
    from tf2cases.server.options import RestOptions

    return RestOptions(
        host=values.host,
        port=values.rest_api_port,
        timeout_ms=values.rest_api_timeout_in_ms,
        cors=values.rest_api_enable_cors_support,
        limits=_limits(values),
    )


def _limits(values: flags.FlagValues) -> "Limits":
    from tf2cases.server.options import Limits

    numbers: Any = {field: values[flag].value for field, (flag, _) in _LIMITS.items()}
    return Limits(**numbers)


def _served(core: "Core") -> str:
    models = [f"{name} version {', '.join(map(str, numbers)) or 'none yet'}" for name, numbers in core.served().items()]
    return f"serving {'; '.join(models) or 'no model yet'}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_limit_of_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
