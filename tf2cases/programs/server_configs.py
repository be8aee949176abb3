"""The configuration files of a model server for a folder of exports, and commands that start the server and ask it."""

import json
import os
import shlex
import urllib.parse
from collections.abc import Iterator, Sequence

from tf2cases import files
from tf2cases.errors import RunError, UsageError
from tf2cases.serving import batching, card, directories

MODELS, MONITORING, BATCHING = "models.config", "monitoring.config", "batching.config"

_LONGEST = 4000  # characters of an example in a command
_NOTE = "# Written by `python -m bin.export --all`.\n"


def models(export_dir: str) -> tuple[list[str], list[str]]:
    """The names of the models in a folder, sorted, and a sentence about each that cannot be served."""
    names, problems = [], []
    for name in sorted(os.listdir(export_dir)) if os.path.isdir(export_dir) else ():
        path = os.path.join(export_dir, name)
        if name.startswith(".") or not directories.versions(path):
            continue
        try:
            name.encode()
            directories.version_directory(path)
            names.append(name)
        except UsageError as error:
            problems.append(str(error))
        except UnicodeEncodeError:
            problems.append(f"the name of {path!r} is not UTF-8, but must be, since it is the model's name.")
    return names, problems


def write(export_dir: str, names: Sequence[str]) -> None:
    """Writes models.config, monitoring.config and batching.config, for tensorflow_model_server and for bin.serve.

    The base paths in models.config are absolute, since servers accept no others; in a container, the folder must
    therefore have the same path, as `commands` has it.

    Args:
      export_dir: where the models are, and where the files are written.
      names: of the models.

    Raises:
      RunError: the disk is full.
    """
    place = os.path.abspath(export_dir)
    configs = "".join(_config(name, os.path.join(place, name)) for name in names)
    settings = [found for name in names if (found := _settings(os.path.join(export_dir, name)))]
    with files.writing(export_dir):
        files.write_text(os.path.join(place, MODELS), f"{_NOTE}model_config_list {{\n{configs}}}\n")
        files.write_text(
            os.path.join(place, MONITORING),
            f'{_NOTE}prometheus_config {{\n  enable: true\n  path: "/monitoring/prometheus/metrics"\n}}\n',
        )
        files.write_text(os.path.join(place, BATCHING), _NOTE + batching.common(settings).text())


def commands(export_dir: str, names: Sequence[str], with_configs: bool) -> Iterator[str]:
    """Shell commands: one that starts TF Serving in a container, and for each model at least one that asks it.

    Args:
      export_dir: where the models are.
      names: of the models.
      with_configs: whether the server uses the files of `write`; otherwise there must be one model.
    """
    place = os.path.abspath(export_dir)
    docker = ["docker", "run", "-p", "8500:8500", "-p", "8501:8501"]
    if with_configs:
        docker += ["-v", f"{place}:{place}:ro", "tensorflow/serving"]
        docker += [f"--model_config_file={place}/{MODELS}", f"--monitoring_config_file={place}/{MONITORING}"]
        docker += ["--enable_batching", f"--batching_parameters_file={place}/{BATCHING}"]
        docker += ["--enable_per_model_batching_parameters"]
    else:
        (name,) = names
        docker += ["-v", f"{place}/{name}:/models/{name}:ro", "-e", f"MODEL_NAME={name}", "tensorflow/serving"]
    yield shlex.join(docker)
    for name in names:
        url = f"localhost:8501/v1/models/{urllib.parse.quote(name, safe='')}"
        requests = _requests(os.path.join(export_dir, name))
        for request in requests:
            yield shlex.join(["curl", "-d", request, f"{url}:predict"])
        if not requests:
            yield shlex.join(["curl", f"{url}/metadata"])


def _requests(model: str) -> list[str]:
    """A request for each signature that answers for something, with the example in the model's card.

    Examples that are too long for a command line are left out, unless there is no other.
    """
    record = card.read(directories.version_directory(model)) or {}
    examples = record.get("examples", {})
    found = []
    for name in dict.fromkeys(record.get("answers", {}).values()):
        example = examples.get(name, {})
        if example and not any(isinstance(value, str) for value in example.values()):  # those are only described
            inputs = {key: [value] for key, value in example.items()}
            found.append(json.dumps({"signature_name": name, "inputs": inputs}))
    found.sort(key=len)
    return found[: max(1, sum(len(request) <= _LONGEST for request in found))]


def _config(name: str, base_path: str) -> str:
    fields = {"name": name, "base_path": base_path, "model_platform": "tensorflow"}
    return "".join(["  config {\n", *(f"    {key}: {_quoted(value)}\n" for key, value in fields.items()), "  }\n"])


def _settings(model: str) -> batching.Settings | None:
    """The settings for batching of a model's newest version."""
    from tf2cases.server import messages

    path = os.path.join(directories.version_directory(model), batching.PATH)
    if not os.path.exists(path):
        return None
    try:
        message = messages.read(path, messages.BatchingParameters())
    except RunError:
        return None  # the server will say so
    size = message.max_execution_batch_size.value or message.max_batch_size.value
    return batching.Settings(size, message.batch_timeout_micros.value, "") if size else None


def _quoted(text: str) -> str:
    """A string of protobuf's text format."""
    return json.dumps(text, ensure_ascii=False)
