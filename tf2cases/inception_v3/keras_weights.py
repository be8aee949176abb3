"""Weights of Keras' InceptionV3 from its HDF5 files, without Keras."""

import re
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


def read(path: str, unit_paths: Collection[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads one of three layouts: the published one, the same under `model_weights` as `model.save("x.h5")` writes it,
    and that of `model.save_weights("x.weights.h5")`.

    None of them stores the layers in order of creation, so convolutions and batch norms are paired by the numbers in
    their names, which continue from the layers that the process had created before. Current files number the layers
    anew, in another order, and store the original name in an attribute.

    Args:
      path: the file.
      unit_paths: the units of the network, in order.

    Returns:
      tensors: {name in the file: array}.
      names: {name in the network: name in the file}.

    Raises:
      UsageError: the file is not a complete HDF5 file, or its layers are not those of Inception-v3.
    """
    import h5py

    try:
        files.check_regular(path)
        with h5py.File(path, "r") as file:
            layers, tensors = _read_layers(path, file, h5py)
    except UsageError:
        raise
    except Exception as error:  # h5py raises all kinds of errors for damaged files
        why = " ".join(str(error).split()).strip("'\"")
        raise UsageError(f"{path} is not a complete HDF5 file ({why}); download or save it again.") from error

    def numbered(kind):
        found = [re.fullmatch(rf"{kind}(?:_(\d+))?", layer) for layer in layers]
        ordered = sorted((int(match[1] or 0), match[0]) for match in found if match)
        if len(ordered) != len(unit_paths):
            raise UsageError(
                f"{path} has {len(ordered)} {kind} layers, but Inception-v3 has {len(unit_paths)}: it belongs to "
                "another network."
            )
        return [layer for _, layer in ordered]

    names: dict[str, str] = {}
    for unit, convolution, norm in zip(unit_paths, numbered("conv2d"), numbered("batch_normalization"), strict=True):
        names |= {f"{unit}/{name}": place for name, place in {**layers[convolution], **layers[norm]}.items()}
    names |= {f"logits/{name}": place for name, place in layers.get("predictions", {}).items()}
    return tensors, names


def _read_layers(path, file, h5py):
    """({layer: {our name of a variable: its path in the file}}, {path in the file: array})."""
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
            if layer is None and parts[1].startswith("conv2d"):
                raise UsageError(
                    f"{path} lacks the names of its layers ({place}), and their order does not identify them: it was "
                    'saved by an early Keras 3; load it there and save it with model.save("x.h5").'
                )
            kind = re.sub(r"_\d+$", "", layer or "")
            meanings = _NUMBERED.get((kind, len(item.parent)))
            if meanings:
                layers.setdefault(layer, {})[meanings[int(parts[-1])]] = place
        elif (name := parts[-1].split(":")[0]) in _LEGACY:
            layers.setdefault(parts[0], {})[_LEGACY[name]] = place

    file.visititems(visit)
    return layers, tensors
