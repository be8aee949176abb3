"""Linear regression of house prices, with gradient descent written by hand.

    price ~ w1 * size + w2 * bedrooms + b

on 47 houses. Features and price are normalized to mean 0 and standard deviation 1, a column of ones carries the
bias, and each step follows the negative gradient of loss(w) = |X w - y|^2 / (2 n), which is X'(X w - y) / n. There is
no gradient tape and no optimizer.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.linear_regression import Config
from tf2cases.data import sources
from tf2cases.data.source import Source


class LinearRegression(training.Case):
    """Linear regression on normalized columns.

    Attributes:
      weights: float32 [1 + features, 1]: the bias, then one weight for each feature, all for normalized columns.
    """

    Config = Config
    shuffle = False

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        self.mean, self.std = np.array(info["mean"]), np.array(info["std"])  # features, then the target
        self.weights = tf.Variable(tf.zeros([len(self.mean), 1]), name="weights")

    @classmethod
    def load(cls, config: Any) -> Source:
        table = dict(csv=config.csv, features=config.features, target=config.target, header=config.header)
        return sources.load(config.dataset, config.data_dir, **table)

    # Training

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.name_scope("input"):
            x, y = self._normalized(batch["features"], batch["targets"])
        with tf.name_scope("hypothesis"):
            error = x @ self.weights - y
        with tf.name_scope("train"):
            gradient = tf.matmul(x, error, transpose_a=True) / x.shape[0]
            (gradient,) = nn.optimizers.mean_over_replicas([gradient])
            self.weights.assign_sub(self.config.learning_rate * gradient)
        with tf.name_scope("loss"):
            return {"loss": self._loss(x, y)}

    def _normalized(self, features, targets) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (x [n, 1 + features], y [n, 1]), float32; the first column of x is all ones."""
        rows = tf.cast(tf.concat([features, targets[:, tf.newaxis]], axis=1), tf.float64)
        rows = tf.cast((rows - self.mean) / self.std, tf.float32)  # in float64, so that means are 0 to within 1e-16
        return tf.concat([tf.ones_like(rows[:, :1]), rows[:, :-1]], axis=1), rows[:, -1:]

    def _loss(self, x, y) -> tf.Tensor:
        error = x @ self.weights - y
        return tf.squeeze(tf.matmul(error, error, transpose_a=True) / (2 * x.shape[0]))

    # Evaluation

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        x, y = self._everything(dataset)
        bias, *weights = self.weights.numpy()[:, 0]
        values = {"loss": self._loss(x, y), "bias": bias} | {f"w{i}": w for i, w in enumerate(weights, 1)}
        return {name: float(value) for name, value in values.items()}

    def _everything(self, dataset) -> tuple:
        batches = [self._normalized(batch["features"], batch["targets"]) for batch in dataset]
        return tuple(tf.concat(column, axis=0) for column in zip(*batches, strict=True))

    # Reports and pictures

    def describe(self, source: Source) -> str:
        """The first five normalized rows, as a table."""
        rows = {name: array[:5] for name, array in source.train.items()}
        x, y = self._normalized(rows["features"], rows["targets"])
        names = ["ones", *self.info["feature_names"], self.info["target_name"]]
        widths = [max(9, len(name)) for name in names]
        lines = ["   " + "  ".join(f"{n:>{w}}" for n, w in zip(names, widths, strict=True))]
        for i, row in enumerate(tf.concat([x, y], axis=1).numpy()):
            lines.append(f"{i:<3}" + "  ".join(f"{v:>{w}.6f}" for v, w in zip(row, widths, strict=True)))
        return "\n".join(lines)

    def progress_line(self, step: int, split: str, values: dict[str, float]) -> str | None:
        if split != "eval":
            return ""
        epochs, steps = self.config.epochs, self.config.steps
        count = f"Epoch {step * epochs / steps:.0f}" if epochs else f"Step {step}"
        return "%s \t Loss=%.4g \t Model: %s" % (count, values["loss"], _equation(values))

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        x, y = (tensor.numpy() for tensor in self._normalized(source.train["features"], source.train["targets"]))
        bias, *weights = np.linalg.lstsq(x, y, rcond=None)[0][:, 0]
        exact = {"bias": bias} | {f"w{i}": w for i, w in enumerate(weights, 1)}
        loss = np.mean((x @ [[bias], *([w] for w in weights)] - y) ** 2) / 2
        return (
            f"Gradient descent: loss {values['loss']:.6f}, {_signed(_equation(values))}\n"
            f"Closed form:      loss {loss:.6f}, {_signed(_equation(exact))}"
        )

    def curves(self, history: list[dict]) -> dict[str, np.ndarray]:
        """Charts of the loss and the weights, but not of the bias, which is rounding noise on normalized columns."""
        return {"curves": viz.training_curves(history, leave_out=["bias"])}

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        features, price = source.train["features"], source.train["targets"]
        names, target = self.info["feature_names"], self.info["target_name"]
        slope, intercept = np.polyfit(features[:, 0], price, 1)
        drawn = {
            # The picture's name becomes a file name, and a column may be called "price/m2".
            re.sub(r"\W+", "_", f"{target}_against_{names[0]}")[:80]: viz.scatter_with_line(
                features[:, 0], price, slope, intercept, names[0], target, f"{target} against {names[0]}"
            )
        }
        if len(names) >= 2:
            x, y = self._normalized(features, price)
            labels = (names[0], names[1], target)
            # Further features are at their means, which are 0 when normalized.
            bias, w1, w2 = self.weights.numpy()[:3, 0].tolist()
            drawn["scatter_3d_normalised"] = viz.scatter_3d(
                x[:, 1], x[:, 2], y[:, 0], labels, "Normalized, with the fitted plane", (w1, w2, bias)
            )
            a, b = self.std[-1] * np.array([w1, w2]) / self.std[:2]
            c = self.mean[-1] + self.std[-1] * bias - a * self.mean[0] - b * self.mean[1]
            drawn["scatter_3d"] = viz.scatter_3d(
                features[:, 0], features[:, 1], price, labels, "As measured, with the fitted plane", (a, b, c)
            )
        return drawn

    # Serving

    def signatures(self) -> dict[str, Callable]:
        # float32 throughout, since LiteRT has no float64. A mean's rounding error would count where the deviations are
        # small, so it is subtracted as well. NumPy's constants become part of the graph; converters want that.
        mean, std = self.mean.astype(np.float32), self.std.astype(np.float32)
        rest = ((self.mean - mean) / self.std).astype(np.float32)

        @tf.function(input_signature=[tf.TensorSpec([None, len(self.mean) - 1], tf.float32, "features")])
        def serving_default(features):
            """Features in their own units (square feet, bedrooms) -> the target in its unit, always named `price`."""
            x = (features - mean[:-1]) / std[:-1] - rest[:-1]
            y = x @ self.weights[1:] + self.weights[0] + rest[-1]
            return {"price": y[:, 0] * std[-1] + mean[-1]}

        return {"serving_default": serving_default}

    def units(self) -> dict[str, str]:
        return {"features": ", ".join(self.info["feature_names"]), "price": self.info["target_name"]}

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        rows = self.mean[:-1] + self.std[:-1] * np.array([[0.0], [1.0], [-1.0]])
        return {"serving_default": {"features": rows.astype(np.float32)}}


def _equation(values: dict[str, float]) -> str:
    """The model as the original table prints it: a negative term is `+ -0.5x2`."""
    weights = [v for k, v in values.items() if k.startswith("w")]
    terms = ["%.4gx%d" % (w, i) for i, w in enumerate(weights, 1)]
    return "y = " + " + ".join([*terms, "%.4g" % values["bias"]])


def _signed(equation: str) -> str:
    """The equation with `- 0.5x2` instead of `+ -0.5x2`."""
    return equation.replace("+ -", "- ")
