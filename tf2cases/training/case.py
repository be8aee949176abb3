"""The contract of a case."""

import json

import tensorflow as tf

from tf2cases import nn, viz
from tf2cases.errors import UsageError


class Case(tf.Module):
    """One machine-learning case: networks, optimizers and step counter in one object, which is checkpointed whole.

    A subclass has the class attribute `Config` (a `RunConfig`) and the methods below. Its constructor calls
    `super().__init__(config, info)` and makes every variable, initial values drawn from `config.seed`.

    Args:
      config: the case's `Config`, with `steps` worked out.
      info: what the data source says of itself (`Source.info`): JSON-able facts such as picture shape and class names,
        kept in `config.json`, so that the case can be rebuilt without the data.

    Attributes:
      step: int64 variable, how many updates were made.
    """

    Config = None

    def __init__(self, config, info):
        super().__init__(name=config.case)
        self.config = config
        self._info = nn.variables.untracked(dict(info))
        self.step = nn.variables.counter("step")

    @property
    def info(self):
        """What the data source says of itself, a dict."""
        return self._info()

    def optimizer_options(self):
        """What every optimizer of `nn` takes besides its variables and its own constants, as the config says."""
        config = self.config
        rate = nn.schedules.make(config.schedule, config.learning_rate, config.steps, config.warmup_steps)
        loss_scale = nn.precision.loss_scale(config.precision)
        return dict(learning_rate=rate, clip_norm=config.clip_norm, loss_scale=loss_scale)

    # Names of the scalars that `train_step` returns, in the order they are reported.
    metric_names = ("loss",)
    # The largest difference of an export's answers from the live case's, as a part of the largest value.
    export_tolerance = 1e-5
    # Whether the training examples are visited in a new random order each epoch.
    shuffle = True
    # How fast the GIF of `samples` goes, in frames a second.
    frames_per_second = 10

    @classmethod
    def load(cls, config):
        """The `data.Source` that a config names."""
        raise NotImplementedError

    @classmethod
    def load_test(cls, config, info):
        """The data that a trained case is evaluated on, as a `data.Source` of which only `test` is meant.

        Args:
          config: the case's config, with another place to look for the data, say.
          info: what the case was trained on (`Source.info`).

        Raises:
          UsageError: the data are of another kind than those.
        """
        source = cls.load(config)
        if json.loads(json.dumps(dict(source.info))) != dict(info):
            raise UsageError(f"--dataset={config.dataset} is of another kind now than what the case was trained on.")
        return source

    @staticmethod
    def compile_on(device_type, config):
        """Whether --jit=auto compiles the step with XLA on 'CPU' or 'GPU': where it was measured to be faster."""
        del device_type, config
        return False

    def describe(self, source):
        """What is printed at the start of a run: the table of layers, say."""
        raise NotImplementedError

    def prepare(self, batch):
        """What happens to a global batch before `train_step`: traced, but outside of what XLA compiles.

        Augmentation goes here, since some of its ops have no XLA kernel.
        """
        return batch

    def train_step(self, batch):
        """One update on this replica's rows of a batch, in plain TensorFlow; the loop traces, repeats, distributes it.

        Returns:
          {name: float32 scalar} for `metric_names`, each a mean over the rows. One that is not finite stops the run.
        """
        raise NotImplementedError

    def evaluate(self, dataset):
        """Metrics over every example of a `tf.data.Dataset` of batches, each counted exactly once: {name: float}."""
        raise NotImplementedError

    def pictures(self, source):
        """What the case shows while it learns: {name: uint8 [H, W, C]}."""
        raise NotImplementedError

    def samples(self):
        """One picture of how far the case has come, on the same inputs each time: {name: uint8 [H, W, C]}.

        They are drawn every `config.sample_every` steps and at the end, numbered by the step; at the end all of them
        become the film `NAMEs.gif`.
        """
        return {}

    def warning(self, history):
        """A sentence of advice after a report of training metrics, "" for none; `history` as in `curves`."""
        del history
        return ""

    def curves(self, history):
        """What is drawn of all reports of a run (see `workdir.read_metrics`): {name: uint8 [H, W, C]}."""
        return {"curves": viz.training_curves(history)}

    def embedding(self, source):
        """What TensorBoard's projector shows at the end of a run, or None.

        Returns:
          (vectors float32 [N, n], labels [N], pictures uint8 [N, H, W, C]).
        """
        del source

    def signatures(self):
        """What it can be asked once it is served: {name: tf.function with an input signature}."""
        raise NotImplementedError

    def requests(self):
        """A valid request for each signature, of a few rows, for warm-up and for checking an export.

        Returns:
          {signature: {input name: np.ndarray [n, ...]}}.
        """
        raise NotImplementedError

    def progress_line(self, step, split, values):
        """The line printed for a report when there is no progress bar, "" for none, or None for the loop's own."""
        del step, split, values
        return None

    def conclude(self, source, values):
        """What is printed at the end of a run, from the last evaluation's values: the headline numbers."""
        raise NotImplementedError
