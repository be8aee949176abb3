"""A quiet start: Ctrl-C prints one line, and TensorFlow's start-up messages do not appear on standard error."""

import os
import signal
import sys
from types import FrameType

_guarded = False  # whether this process is a program whose launcher called `guard_start`
_error_output = 2  # the handle of standard error


def guard_start() -> None:
    """Lets Ctrl-C end this process with one line, whatever is being imported, until `end_guard`.

    An import that is interrupted by an exception prints a traceback, or loses the exception. Ending the process leaves
    nothing unfinished, since a program that is starting has written nothing. An ignored SIGINT stays ignored.
    """
    global _guarded
    _guarded = True
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def end_guard() -> None:
    """Lets Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_guarding() -> bool:
    """Whether Ctrl-C ends this process with one line."""
    return signal.getsignal(signal.SIGINT) is _end


def end(number: int) -> None:
    """Ends this process because of a signal, as Ctrl-C does while it is starting."""
    _end(number, None)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(_error_output, f"{_program()}: interrupted; nothing has been done yet.\n".encode())
    os._exit(128 + number)


def _program() -> str:
    """The program's name, as `python -m bin.NAME`, `tf2cases NAME` or a path names it."""
    for word in sys.orig_argv:
        if word.startswith("bin."):
            return word.removeprefix("bin.")
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    return sys.argv[1] if name == "tf2cases" and len(sys.argv) > 1 else name


def import_tensorflow() -> None:
    """Imports TensorFlow, if it is not imported yet, with standard error silenced and Ctrl-C guarded.

    Its C++ code reports CPU features and missing GPU drivers before any log level can be set. A failing import still
    raises. Set `TF_CPP_MIN_LOG_LEVEL=0` to see the messages.
    """
    if "tensorflow" in sys.modules:
        return
    guarded_before = signal.getsignal(signal.SIGINT) is _end
    if _guarded:
        guard_start()
    try:
        if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0":
            import tensorflow  # noqa: F401
        else:
            _import_silently()
    finally:
        if not guarded_before:
            end_guard()


def _import_silently() -> None:
    global _error_output
    import logging

    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    _error_output = kept
    try:
        import tensorflow

        tensorflow.config.list_physical_devices()  # looks for GPUs, with messages of its own if there are none
    finally:
        os.dup2(kept, 2)
        _error_output = 2
        os.close(kept)
        os.close(nowhere)
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
