"""Importing TensorFlow without its start-up messages on standard error."""

import logging
import os
import sys


def import_tensorflow() -> None:
    """Imports TensorFlow, if it is not imported yet, with standard error silenced.

    Its C++ code reports CPU features and missing GPU drivers before any log level can be set. A failing import still
    raises. Set `TF_CPP_MIN_LOG_LEVEL=0` to see the messages.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0":
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow

        tensorflow.config.list_physical_devices()  # looks for GPUs, with messages of its own if there are none
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
