"""A loaded SavedModel: its signatures, and running its graph.

The graph is run in a session, as in tensorflow_model_server. So SavedModels of TensorFlow 1 and 2 work alike, the
shapes in a signature are not enforced, and a call takes about a seventh of the time that a signature of
`tf.saved_model.load` takes.
"""

import collections
import gc
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2, trackable_object_graph_pb2

from tf2cases import files
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.specs import Signature, TensorSpec

_MOST_CALLABLES = 64  # a client chooses the outputs, so the number of their combinations is bounded
_INIT_OP = "__saved_model_init_op"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_log = logging.getLogger(__name__)


class SavedModel:
    """A SavedModel in memory; its methods may be called from any thread.

    Attributes:
      path: the version's folder.
      signature_defs: {name: SignatureDef message}.
      signatures: {name: Signature}.
    """

    def __init__(self, path: str, tags: Sequence[str] = ("serve",), config: Any = None):
        """Loads a version.

        Args:
          path: the version's folder.
          tags: the tags of the meta graph to load.
          config: the ConfigProto of the session.

        Raises:
          ServingError: the folder has no SavedModel, or an incomplete one, or one without a meta graph with these tags.
        """
        self.path, self._lock = path, threading.Lock()
        self._running, self._quiet = 0, threading.Condition()
        if not any(os.path.isfile(os.path.join(path, f"saved_model.{end}")) for end in ("pb", "pbtxt")):
            raise ServingError(
                Code.NOT_FOUND,
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. Check that the "
                "directory exists and that you have the right permissions for accessing it.",
            )
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default(), files.literal(path) as place:
                meta_graph = tf.compat.v1.saved_model.load(self._session, list(tags), place)
                _restore_forgotten(graph, self._session, place, path)
            _warn_of_xla(meta_graph, path)
            self.signature_defs: Mapping[str, Any] = dict(sorted(meta_graph.signature_def.items()))
            self.signatures = {
                name: _signature(name, proto) for name, proto in self.signature_defs.items() if name != _INIT_OP
            }
        except Exception as error:  # TensorFlow raises nearly anything for damaged files
            self._session.close()
            raise _load_error(error, path, tags) from error
        self._callables: collections.OrderedDict[tuple, Callable] = collections.OrderedDict()

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Computes tensors of the graph.

        Args:
          feeds: {tensor name: array of its dtype}; strings are object arrays of bytes.
          fetches: names of the tensors to compute.

        Returns:
          The values of `fetches`, in order.

        Raises:
          ServingError: TensorFlow reports an error for these values.
        """
        computed = tuple(sorted(set(fetches) - feeds.keys()))
        with self._quiet:
            self._running += 1
        try:
            values = self._callable(tuple(feeds), computed)(*feeds.values()) if computed else []
        except tf.errors.OpError as error:
            raise ServingError(Code(error.error_code), sentence(error)) from error
        except (ValueError, TypeError, RuntimeError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, sentence(error)) from error
        finally:
            with self._quiet:
                self._running -= 1
                self._quiet.notify_all()
        known = {**feeds, **dict(zip(computed, values, strict=True))}
        # TensorFlow returns scalars as NumPy's numbers, and a scalar string as bytes.
        arrays = {name: np.array(value, object) if isinstance(value, bytes) else value for name, value in known.items()}
        return [arrays[name] for name in fetches]

    def close(self) -> None:
        """Waits for running calls, also those of cancelled requests, and frees the memory."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._running)
        self._callables.clear()
        self._session.close()
        del self._session
        gc.collect()  # a graph consists of cycles

    def _callable(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Callable:
        key = (feeds, fetches)
        with self._lock:
            found = self._callables.get(key)
            if found is None:
                options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
                # A call of Session.run prepares its feeds and fetches anew and takes five times as long.
                found = self._callables[key] = self._session._make_callable_from_options(options)
                if len(self._callables) > _MOST_CALLABLES:
                    self._callables.popitem(last=False)
            self._callables.move_to_end(key)
        return found


def session_config(intra_op: int = 0, inter_op: int = 0, gpu_fraction: float = 0) -> Any:
    """Returns the ConfigProto for all sessions.

    Args:
      intra_op, inter_op: numbers of threads; 0: TensorFlow decides.
      gpu_fraction: the fraction of GPU memory that the process reserves; 0: it allocates as needed.
    """
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra_op, inter_op_parallelism_threads=inter_op)
    config.gpu_options.per_process_gpu_memory_fraction = gpu_fraction
    config.gpu_options.allow_growth = not gpu_fraction
    return config


def sentence(error: Exception) -> str:
    """Returns the message of a TensorFlow error in one line, without references to TensorFlow's source code."""
    lines = str(getattr(error, "message", error)).strip().split("\n")
    if "root error(s) found" in lines[0] and len(lines) > 1:
        lines = [lines[1].partition(": ")[2]]
    return lines[0].strip() or type(error).__name__


def _signature(name: str, proto: Any) -> Signature:
    inputs, outputs = (
        {key: _spec(info) for key, info in sorted(part.items())} for part in (proto.inputs, proto.outputs)
    )
    return Signature(name, proto.method_name, inputs, outputs)


def _spec(info: Any) -> TensorSpec:
    dtype = tf.dtypes.as_dtype(info.dtype)
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(info.name, np.dtype(dtype.as_numpy_dtype), types_pb2.DataType.Name(info.dtype), shape)


def _restore_forgotten(graph: tf.Graph, session: Any, place: str, path: str) -> None:
    """Restores the variables that signatures use, but that the graph's restore op leaves out.

    tf.saved_model.save writes such graphs for Keras 3 models; `model.export` does not.

    Args:
      graph, session: the graph, and the session in which it was restored.
      place: the path of the folder for TensorFlow.
      path: the path of the folder for messages.
    """
    handles = [
        operation
        for operation in graph.get_operations()
        if operation.type == "VarHandleOp"
        and any(consumer.type.endswith("PartitionedCall") for consumer in operation.outputs[0].consumers())
    ]
    if not handles:
        return
    checks = [tf.raw_ops.VarIsInitializedOp(resource=operation.outputs[0]) for operation in handles]
    forgotten = [operation for operation, done in zip(handles, session.run(checks), strict=True) if not done]
    if not forgotten:
        return
    reader = tf.train.load_checkpoint(os.path.join(place, "variables", "variables"))
    if not reader.has_tensor(_OBJECT_GRAPH):
        return
    objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(reader.get_tensor(_OBJECT_GRAPH))
    keys = {value.full_name: value.checkpoint_key for node in objects.nodes for value in node.attributes}
    for operation in forgotten:
        name = operation.get_attr("shared_name").decode()
        if name in keys:
            value = tf.constant(reader.get_tensor(keys[name]), operation.get_attr("dtype"))
            session.run(tf.raw_ops.AssignVariableOp(resource=operation.outputs[0], value=value).name)
            _log.warning("%s does not restore %s, so tensorflow_model_server cannot serve it", path, name)


def _load_error(error: Exception, path: str, tags: Sequence[str]) -> ServingError:
    if isinstance(error, ServingError):
        return error
    if isinstance(error, RuntimeError) and "MetaGraphDef" in str(error):
        return ServingError(
            Code.NOT_FOUND,
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect available "
            "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
        )
    code = Code(error.error_code) if isinstance(error, tf.errors.OpError) else Code.DATA_LOSS
    return ServingError(code, f"{path} cannot be loaded: {sentence(error)}")


def _warn_of_xla(meta_graph: Any, path: str) -> None:
    functions = meta_graph.graph_def.library.function
    if any(function.attr["_XlaMustCompile"].b for function in functions if "_XlaMustCompile" in function.attr):
        _log.warning("%s has functions with jit_compile=True; tensorflow_model_server refuses to run them", path)
