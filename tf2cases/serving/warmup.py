"""Requests that a model server answers while it loads a version, so that the first real one is fast."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf2cases import files

PATH = "assets.extra/tf_serving_warmup_requests"  # where TF Serving looks; uncompressed TFRecord, at most 1000 records


def available() -> bool:
    """Whether tensorflow-serving-api, which defines the records, is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write(directory: str, model_name: str, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Writes one record for each request.

    Args:
      directory: a SavedModel.
      model_name: the name under which it is served.
      requests: list of (signature name, {input name: array [n, ...]}).
    """
    from tensorflow_serving.apis import prediction_log_pb2

    os.makedirs(os.path.dirname(os.path.join(directory, PATH)), exist_ok=True)
    with files.literal(directory) as place, tf.io.TFRecordWriter(os.path.join(place, PATH)) as writer:
        for signature, inputs in requests:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
