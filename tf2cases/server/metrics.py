"""Counts and times, shown in Prometheus' text format under the real server's names."""


class Metrics:
    """The metrics of one server; used from any thread."""

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Counts a finished request.

        Args:
          model: the model's name.
          api: "Predict", "Classify", "Regress", "MultiInference" or "GetModelMetadata".
          entrypoint: "GRPC" or "REST".
          status: the name of its canonical code, such as "OK".
          seconds: how long it took.
        """

    def render(self) -> str:
        """All metrics in Prometheus' text format."""
        return ""
