"""Imported first by the programs that use TensorFlow: imports it without its start-up lines on standard error.

Its C++ part announces CPU features and missing GPU drivers before any log level can be set, so standard error is turned
away while it is imported; a failing import still raises. `TF_CPP_MIN_LOG_LEVEL=0` brings the lines back.
"""

import logging
import os
import sys

if "tensorflow" not in sys.modules and os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "0":
    sys.stderr.flush()
    _kept = os.dup(2)
    _nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(_nowhere, 2)
    try:
        import tensorflow

        tensorflow.config.list_physical_devices()  # looks for GPUs, and complains on its own if there are none
    finally:
        os.dup2(_kept, 2)
        os.close(_kept)
        os.close(_nowhere)
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
