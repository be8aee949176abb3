"""Selects the `tf.distribute` strategy of a run, and splits global batches among its replicas."""

import functools
import json
import os
from typing import Any

import tensorflow as tf

from tf2cases.configs import RunConfig
from tf2cases.errors import UsageError
from tf2cases.training.case import Case


def make(name: str) -> tf.distribute.Strategy:
    """Creates the strategy named auto, single, mirrored or multi_worker.

    Raises:
      UsageError: multi_worker without TF_CONFIG, or with one that is malformed or names several workers.
    """
    if name == "multi_worker" or (name == "auto" and os.environ.get("TF_CONFIG")):
        return _multi_worker()  # before listing devices, which would initialize TensorFlow without collectives
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return _mirrored(tuple(d.name for d in devices))
    return tf.distribute.get_strategy()


def _multi_worker() -> tf.distribute.Strategy:
    config = os.environ.get("TF_CONFIG")
    if not config:
        raise UsageError(
            "--strategy is 'multi_worker', but the environment variable TF_CONFIG is not set; it must hold the "
            "cluster's addresses and this worker's task as JSON."
        )
    try:
        cluster = json.loads(config)["cluster"]
        workers = sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"TF_CONFIG is {config!r}, but must be JSON with the cluster's addresses and a task."
        ) from error
    if workers != 1:
        raise UsageError(f"TF_CONFIG names {workers} workers, but must name one: training on several is not supported.")
    return tf.distribute.MultiWorkerMirroredStrategy()


@functools.cache
def _mirrored(devices):
    # One strategy for all runs of a process: each strategy numbers its collective operations from the same start, so
    # those of a second one would collide with the first one's and fail.
    return tf.distribute.MirroredStrategy(devices)


def check(config: RunConfig, strategy: tf.distribute.Strategy) -> None:
    """Rejects options that do not work with the strategy.

    Raises:
      UsageError: the global batch does not divide evenly among the replicas, or XLA is on with several replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise UsageError(
            f"--batch_size is {config.batch_size}, but must be divisible by the number of replicas, which is "
            f"{replicas}."
        )
    if config.jit == "on" and replicas > 1:
        raise UsageError(f"--jit is 'on', but must be 'off' or 'auto' with {replicas} replicas.")


def compiles(case: Case) -> bool:
    """Whether XLA compiles the step of a case on a single replica."""
    if case.config.jit == "auto":
        return case.compile_on("GPU" if tf.config.list_logical_devices("GPU") else "CPU", case.config)
    return case.config.jit == "on"


def split(strategy: tf.distribute.Strategy, batch: dict[str, tf.Tensor]) -> Any:
    """Splits a global batch, a dict of tensors, into the rows of each replica; traced inside the loop."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batch

    def rows(context):
        i = context.replica_id_in_sync_group
        size = {name: t.shape[0] // replicas for name, t in batch.items()}
        return {name: t[i * size[name] : (i + 1) * size[name]] for name, t in batch.items()}

    return strategy.experimental_distribute_values_from_function(rows)


def device_name() -> str:
    """A description of the hardware that the run uses."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        kind = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        return f"{len(gpus)} x {kind}"
    return f"CPU, {os.cpu_count()} cores"
