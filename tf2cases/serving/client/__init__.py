"""One client for a model, wherever it is: behind TF Serving's gRPC or REST port, or in a directory.

    from tf2cases.serving import client

    with client.connect(server="localhost:8500", name="digits") as model:
        answer = model.ask("pictures", [open("digit.png", "rb").read()])
        print(answer["label"])

The two remote ways need NumPy, and for gRPC grpcio and protobuf, but neither TensorFlow nor tensorflow-serving-api.
They work with any server that offers TF Serving's API, and with any model.
"""

from tf2cases.serving.client.base import Client, Options
from tf2cases.serving.client.load import Timing, measure


def connect(
    *,
    model: str | None = None,
    server: str | None = None,
    rest: str | None = None,
    name: str = "default",
    version: int | None = None,
    options: Options | None = None,
) -> Client:
    """A client of one model; exactly one of `model`, `server` and `rest` must be given.

    Args:
      model: `exports/NAME`, whose newest version is loaded here with TensorFlow, or the directory of one version.
      server: HOST:PORT of a server's gRPC port.
      rest: http://HOST:PORT of a server's REST port.
      name: the model's name on the server.
      version: its version on the server; the newest by default.
      options: deadline and retries of remote requests.

    Raises:
      UsageError: the arguments contradict each other, or there is no such model.
      ValueError: `rest` is no such address.
      RunError: the server does not answer.
    """
    from tf2cases.errors import UsageError

    given = {key: value for key, value in (("model", model), ("server", server), ("rest", rest)) if value is not None}
    if len(given) != 1:
        said = " and ".join(given) or "none of them"
        raise UsageError(f"model, server and rest: exactly one must be given, but was {said}.")
    if model is not None:
        from tf2cases.serving.client.local import LocalClient

        return LocalClient(model)
    options = options or Options()
    if server is not None:
        from tf2cases.serving.client.over_grpc import GrpcClient

        return GrpcClient(server, name, version, options)
    from tf2cases.serving.client.over_rest import RestClient

    return RestClient(str(rest), name, version, options)
