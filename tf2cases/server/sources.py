"""Determines the models and versions to serve, from the config, the base paths and the version policies."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from tf2cases.server.errors import Code, ServingError

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LABEL = re.compile(r"[A-Za-z0-9_]+")
_PLATFORM = "tensorflow"
_log = logging.getLogger(__name__)


def single(name: str, base_path: str) -> Any:
    """Returns the ModelServerConfig for `--model_name` and `--model_base_path`.

    If the base path has no versions, but its sub-folders have, each sub-folder is a model of that name.
    (tensorflow_model_server does not support this.)
    """
    config = model_server_config_pb2.ModelServerConfig()
    base_path = os.path.abspath(base_path)
    names = [] if versions(base_path) else [entry for entry in _folders(base_path) if versions(f"{base_path}/{entry}")]
    for model, path in [(n, os.path.join(base_path, n)) for n in sorted(names)] or [(name, base_path)]:
        config.model_config_list.config.add(name=model, base_path=path, model_platform=_PLATFORM)
    return config


def check(config: Any) -> None:
    """Checks a ModelServerConfig.

    Raises:
      ServingError: INVALID_ARGUMENT, a model is listed twice, a path is not absolute, a platform is not supported, or
        a label has characters other than letters, digits and underscores.
    """
    names: set[str] = set()
    for model in config.model_config_list.config:
        name = model.name
        if not name:
            raise ServingError(Code.INVALID_ARGUMENT, "A model in the config list has no name.")
        if name in names:
            raise ServingError(Code.INVALID_ARGUMENT, f"Illegal to list model {name} multiple times in config list")
        names.add(name)
        if not os.path.isabs(model.base_path):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Expected model {name} to have an absolute path or URI; got base_path()={model.base_path}",
            )
        if not model.model_platform and not model.model_type:
            raise ServingError(
                Code.INVALID_ARGUMENT, "Illegal setting neither model_type(deprecated) nor model_platform."
            )
        if model.model_platform and model.model_type:
            raise ServingError(Code.INVALID_ARGUMENT, "Illegal setting both model_type(deprecated) and model_platform.")
        if (model.model_platform or _PLATFORM) != _PLATFORM or model.model_type > 1:
            platform = model.model_platform or "other"
            raise ServingError(Code.INVALID_ARGUMENT, f"Model {name} requests unsupported platform {platform}")
        for label in model.version_labels:
            if not _LABEL.fullmatch(label):
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Label {label!r} of model {name} must be made of letters, digits and underscores",
                )


def versions(base_path: str) -> dict[int, str]:
    """Returns {version number: folder} of a base path, ascending; ignores names that are not 64-bit integers."""
    found: dict[int, str] = {}
    for name in _folders(base_path):
        if _INTEGER.fullmatch(name) and -(2**63) <= int(name) < 2**63:
            if int(name) in found:
                kept = os.path.basename(found[int(name)])
                _warn_once(f"{base_path}: version {int(name)} is served from {name}, not from {kept}")
            found[int(name)] = os.path.join(base_path, name)
    return dict(sorted(found.items()))


def wanted(model: Any) -> dict[int, str] | None:
    """Returns the versions that a ModelConfig selects, {number: folder}; None if the base path does not exist."""
    if not os.path.isdir(model.base_path):
        _warn_once(f"Could not find base path {model.base_path} for servable {model.name}")
        return None
    found, policy = versions(model.base_path), model.model_version_policy
    choice = policy.WhichOneof("policy_choice") or "latest"
    if choice == "specific":
        for number in policy.specific.versions:
            if number not in found:
                _warn_once(f"Version {number} of servable {model.name}, which is to be served, was not found")
        found = {number: path for number, path in found.items() if number in policy.specific.versions}
    elif choice != "all":
        found = dict(list(found.items())[-max(policy.latest.num_versions, 1) :])
    if not found:
        _warn_once(
            f"No versions of servable {model.name} found under base path {model.base_path}. Did you forget to name "
            "your leaf directory as a number (eg. '/1/')?"
        )
    return found


def labels(config: Any, known: Mapping[str, Mapping[str, int]], available: Any, lenient: bool) -> dict:
    """Returns the labels of a ModelServerConfig.

    Args:
      config: the config.
      known: the current labels, {model: {label: version}}.
      available: tells whether a version is loaded; takes the model's name and the version's number.
      lenient: whether a new label may be assigned to a version that is not loaded.

    Returns:
      {model: {label: version}}.

    Raises:
      ServingError: FAILED_PRECONDITION, a label's version is not loaded.
    """
    for model in config.model_config_list.config:
        for label, version in model.version_labels.items():
            allowed = lenient and known.get(model.name, {}).get(label, version) == version
            if not allowed and not available(model.name, version):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference",
                )
    return {model.name: dict(model.version_labels) for model in config.model_config_list.config}


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    """Logs a warning once, although polling finds the problem every second."""
    if message not in _warned:
        _warned.add(message)
        _log.warning("%s", message)
