"""The options of linear regression on house prices."""

import dataclasses

from tf2cases.configs import path_flags
from tf2cases.configs.run import RunConfig, field, free_field


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """The original settings: learning rate 0.01, 500 epochs of one step on all rows."""

    case = "linear_regression"

    dataset: str = field("houses", "Data set to train on.", choices=("houses",))
    epochs: float | None = free_field(500, "Length of the run in epochs.", above=0, maximum=10**6)
    batch_size: int | None = field(None, "Rows per step; default: all of them.", minimum=1, maximum=10**9)
    precision: str = field("float32", "Dtype of the computation.", choices=("float32",))
    log_every: int | None = free_field(10, "Steps between reports of the training loss.", minimum=1, maximum=10**9)
    eval_every: int = free_field(10, "Steps between evaluations, which print the model.", minimum=0, maximum=10**9)
    checkpoint_every: int = free_field(100, "Steps between checkpoints; 0: once per epoch.", minimum=0, maximum=10**9)
    csv: str | None = field(None, "CSV file to use instead of the embedded 47 houses.", path=path_flags.READ)
    features: str | None = field(
        None, "Feature columns by name or by number from 0, separated by commas; default: all columns but the target."
    )
    target: str | None = field(None, "Target column by name or by number from 0; default: the last one.")
    header: str = field("auto", "Whether the first row of the CSV file holds names.", choices=("auto", "yes", "no"))
    learning_rate: float = field(0.01, "Learning rate of the gradient descent.", above=0)

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if not self.csv:
            found["header"] = "no --csv, since the embedded table has its names"
        return found

    @property
    def own_data(self) -> str:
        return self.csv or ""
