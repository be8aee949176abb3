"""Weights of Keras' InceptionV3 from its HDF5 and .keras files, without Keras."""

import contextlib
import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection

import numpy as np

from tf2cases import files
from tf2cases.errors import UsageError

_MAX_BYTES = 2**31  # of a tensor; the whole network has 95 MB
_LEGACY = {
    "kernel": "kernel",
    "bias": "bias",
    "beta": "offset",
    "gamma": "scale",
    "moving_mean": "moving_mean",
    "moving_variance": "moving_variance",
}
# Current files number a layer's variables in order of creation: {(layer, number of variables): their names}.
_NUMBERED = {
    ("conv2d", 1): ["kernel"],
    ("conv2d", 2): ["kernel", "bias"],
    ("batch_normalization", 3): ["offset", "moving_mean", "moving_variance"],
    ("batch_normalization", 4): ["scale", "offset", "moving_mean", "moving_variance"],
    ("predictions", 2): ["kernel", "bias"],
}


_MOST_EXTRA = 8  # convolutions or batch norms that a head may add
# Layers that change the features on their way to the last layer.
_OTHER_HEADS = ("GlobalMaxPooling2D", "Normalization", "UnitNormalization", "LayerNormalization", "Lambda", "PReLU")
_LARGEST = 1 << 31  # bytes of the weights in a .keras file


def read(path: str, unit_paths: Collection[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads one of four layouts: the published one, the same under `model_weights` as `model.save("x.h5")` writes it,
    that of `model.save_weights("x.weights.h5")`, and the same in the archive that `model.save("x.keras")` writes.

    None of them stores the layers in order of creation, so convolutions and batch norms are paired by the numbers in
    their names, which continue from the layers that the process had created before. Current files number the layers
    anew, in another order, and store the original name in an attribute.

    The network may be a layer of another model, as in the usual fine-tuning, or have another head. A head of one
    fully-connected layer on the averaged features gives the classes; any other leaves only the features.

    Args:
      path: the file.
      unit_paths: the units of the network, in order.

    Returns:
      tensors: {name in the file: array}.
      names: {name in the network: name in the file}.

    Raises:
      UsageError: the file is not a complete HDF5 or Keras file, its layers are not those of Inception-v3, or it scales
        pictures otherwise.
    """
    import h5py

    try:
        files.check_regular(path)
        with _opened(path) as content, h5py.File(content, "r") as file:
            layers, tensors = _read_layers(path, file, h5py)
            described = file.attrs.get("model_config") if isinstance(content, str) else None
        parts = _parts(described if described is not None else _config(path))
    except UsageError:
        raise
    except Exception as error:  # h5py raises all kinds of errors for damaged files
        raise UsageError(
            f"{path} is not a complete HDF5 file ({files.reason(error)}); download or save it again."
        ) from error
    _check_scaling(path, parts)
    groups = Counter(group for (group, layer) in layers if re.fullmatch(r"conv2d(_\d+)?", layer))
    chosen = groups.most_common(1)[0][0] if groups else ""

    def numbered(kind):
        found = [re.fullmatch(rf"{kind}(?:_(\d+))?", layer) for group, layer in layers if group == chosen]
        ordered = sorted((int(match[1] or 0), match[0]) for match in found if match)
        if not len(unit_paths) <= len(ordered) <= len(unit_paths) + _MOST_EXTRA:
            raise UsageError(
                f"{path} has {len(ordered)} {kind} layers, but Inception-v3 has {len(unit_paths)}: it belongs to "
                "another network."
            )
        return [layers[chosen, layer] for _, layer in ordered[: len(unit_paths)]]  # a head is made later

    names: dict[str, str] = {}
    for unit, convolution, norm in zip(unit_paths, numbered("conv2d"), numbered("batch_normalization"), strict=True):
        names |= {f"{unit}/{name}": place for name, place in {**convolution, **norm}.items()}
    head = _head(layers, tensors, parts, set(names.values()))
    return tensors, names | {f"logits/{name}": place for name, place in head.items()}


def _opened(path):
    """The HDF5 file: a path, or the content of the archive's member, as a context."""
    if not zipfile.is_zipfile(path):
        return contextlib.nullcontext(path)
    return io.BytesIO(_member(path, "model.weights.h5"))


def _config(path) -> str | None:
    """The description of a model in a .keras file, or None for other files."""
    return _member(path, "config.json").decode("utf-8", "replace") if zipfile.is_zipfile(path) else None


def _member(path, name) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            content = file.read(_LARGEST + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UsageError(
            f"{path} is not a complete Keras file ({files.reason(error)}); save it again with model.save."
        ) from error
    if len(content) > _LARGEST:
        raise UsageError(f"{path} has more than {_LARGEST:,} bytes of weights, but must have fewer.")
    return content


def _parts(described) -> list[tuple[str, dict]]:
    """(class, config) of each layer of a model's description, at any depth; [] without one."""
    found: list[tuple[str, dict]] = []

    def visit(item):
        if isinstance(item, dict):
            config = item.get("config")
            if isinstance(item.get("class_name"), str) and isinstance(config, dict):
                found.append((item["class_name"], config))
            for value in item.values():
                visit(value)
        elif isinstance(item, list):
            for value in item:
                visit(value)

    with contextlib.suppress(ValueError, RecursionError):
        visit(json.loads(described or "null"))
    return found


def _check_scaling(path, parts):
    for kind, config in parts:
        scale, offset = config.get("scale"), config.get("offset", 0)
        if kind == "Rescaling" and not (np.allclose(scale, 1 / 127.5) and np.allclose(offset, -1)):
            raise UsageError(
                f"{path} scales pictures by {scale} and adds {offset}, but must take what Keras' preprocess_input for "
                "Inception-v3 gives: scale 1/127.5, offset -1."
            )


def _head(layers, tensors, parts, used) -> dict[str, str]:
    """{"kernel": its path in the file, "bias": its path} of a head that is one fully-connected layer on the averaged
    features, with a softmax; else {}.

    Args:
      layers, tensors: from `_read_layers`.
      parts: from `_parts`.
      used: the paths of the network's own variables.
    """
    heads = [
        (layer, places)
        for (_, layer), places in layers.items()
        if layer == "predictions" or ("kernel" in places and tensors[places["kernel"]].ndim == 2)
    ]
    if len(heads) != 1:
        return {}
    layer, places = heads[0]
    further = [
        place
        for place, array in tensors.items()
        if place not in {*used, *places.values()} and not place.startswith("optimizer") and array.dtype.kind == "f"
    ]
    kernel = tensors.get(places.get("kernel"), np.zeros([2048, 2]))
    activations = {config.get("activation") for kind, config in parts if config.get("name") == layer}
    if (
        further
        or any(kind in _OTHER_HEADS or config.get("pooling") == "max" for kind, config in parts)
        or not activations <= {"softmax", "linear", None}
        or kernel.shape[1:] == (1,)  # a sigmoid of one number is no softmax
        or (layer != "predictions" and len(kernel) != 2048)
    ):
        return {}
    return places


def _read_layers(path, file, h5py):
    """({(group, layer): {our name of a variable: its path in the file}}, {path in the file: array}).

    The group is the model that a layer belongs to.
    """
    layers, tensors = {}, {}
    prefix = "model_weights/" if "model_weights" in file else ""

    def visit(place, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.size * item.dtype.itemsize > _MAX_BYTES:
            raise ValueError(f"{place} has the shape {list(item.shape)}")
        tensors[place] = np.asarray(item)
        parts = place.removeprefix(prefix).split("/")
        if not place.startswith(prefix):  # an optimizer's variable
            return
        if parts[-2:-1] == ["vars"]:
            layer = item.parent.attrs.get("name")
            if layer is None and parts[-3].startswith("conv2d"):
                raise UsageError(
                    f"{path} lacks the names of its layers ({place}), and their order does not identify them: it was "
                    'saved by an early Keras 3; load it there and save it with model.save("x.h5").'
                )
            kind = re.sub(r"_\d+$", "", layer or "")
            if kind not in ("conv2d", "batch_normalization") and parts[-3].startswith("dense"):
                kind = "predictions"
            meanings = _NUMBERED.get((kind, len(item.parent)))
            if meanings:
                layers.setdefault(("/".join(parts[:-3]), layer), {})[meanings[int(parts[-1])]] = place
        elif (name := parts[-1].split(":")[0]) in _LEGACY and len(parts) > 1:
            layer = parts[-2]
            group = "" if parts[0] == layer else parts[0]  # a layer's own group, or that of the model around it
            layers.setdefault((group, layer), {})[_LEGACY[name]] = place

    file.visititems(visit)
    return layers, tensors
