"""Replays a version's warm-up records before the version becomes available."""

import os
import time
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tf2cases import files
from tf2cases.server import examples, tensors
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.inference import Inference, Plan, Task
from tf2cases.server.metrics import Metrics
from tf2cases.server.saved_model import SavedModel

PATH = os.path.join("assets.extra", "tf_serving_warmup_requests")
_MOST_RECORDS = 1000
_FRAME_BYTES = 16  # a record's length and two checksums


def replay(model: SavedModel, inference: Inference, iterations: int, metrics: Metrics) -> int:
    """Replays the warm-up records of a version.

    Args:
      model: the loaded version.
      inference: the methods of this version.
      iterations: how many times each record is run.
      metrics: records the duration.

    Returns:
      The number of records.

    Raises:
      ServingError: there are too many records, or one is unreadable, of an unsupported kind, or fails.
    """
    if not os.path.isfile(os.path.join(model.path, PATH)):
        return 0
    start, status = time.monotonic(), "OK"
    try:
        return _replay(model, inference, iterations)
    except ServingError as error:
        status = error.code.name
        raise
    finally:
        metrics.warmup_latency.add((time.monotonic() - start) * 1e6, model.path, status)


def _replay(model: SavedModel, inference: Inference, iterations: int) -> int:
    count = size = 0
    with files.literal(model.path) as place:
        path = os.path.join(place, PATH)
        try:
            for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
                count, size = count + 1, size + len(record) + _FRAME_BYTES
                if count > _MOST_RECORDS:
                    raise ServingError(
                        Code.INVALID_ARGUMENT,
                        f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) in {PATH}",
                    )
                plan = _plan(inference, _parsed(record))
                for _ in range(iterations):
                    plan.finish(model.run(plan.feeds, plan.fetches))
        except tf.errors.DataLossError as error:
            raise _unreadable(error.message) from error
        if size != os.path.getsize(path):  # the reader ends quietly where the frame of a record is cut
            raise _unreadable(f"truncated record after {size} bytes")
    return count


def _unreadable(reason: str) -> ServingError:
    return ServingError(Code.DATA_LOSS, f"Failed to read warmup record: {reason}. Please verify the file: {PATH}")


def _parsed(record: bytes) -> Any:
    try:
        return prediction_log_pb2.PredictionLog.FromString(record)
    except Exception as error:  # protobuf's DecodeError, whose module has moved between versions
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to parse warmup record in {PATH}") from error


def _plan(inference: Inference, log: Any) -> Plan:
    kind = log.WhichOneof("log_type")
    request: Any = getattr(getattr(log, kind), "request", None) if kind else None
    if kind == "predict_log":
        inputs = {key: tensors.to_array(proto) for key, proto in request.inputs.items()}
        return inference.predict(request.model_spec.signature_name, inputs, list(request.output_filter))
    if kind == "classify_log":
        return inference.classify(request.model_spec.signature_name, examples.serialized(request.input))
    if kind == "regress_log":
        return inference.regress(request.model_spec.signature_name, examples.serialized(request.input))
    if kind == "multi_inference_log":
        tasks = [Task(task.model_spec.signature_name, task.method_name) for task in request.tasks]
        return inference.multi(tasks, examples.serialized(request.input))
    raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind or 'none'}")
