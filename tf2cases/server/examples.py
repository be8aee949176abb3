"""The tf.Examples of a Classify, Regress or MultiInference request."""

from typing import Any


def serialized(message: Any) -> list[bytes]:
    """Returns the serialized tf.Examples of an `Input` message; [] if there are none.

    The features of a context are added to each example; the example's own features take precedence.
    """
    kind = message.WhichOneof("kind")
    found = getattr(message, kind).examples if kind else []
    # Messages merge when their bytes are joined, and of two values of a key the last one counts.
    context = (
        message.example_list_with_context.context.SerializeToString() if kind == "example_list_with_context" else b""
    )
    return [context + example.SerializeToString() for example in found]
