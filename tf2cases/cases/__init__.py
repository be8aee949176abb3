"""The cases, one file each."""

import os

from tf2cases.cases.autoencoder import DenoisingAutoencoder
from tf2cases.cases.captcha import CaptchaReader
from tf2cases.cases.dcgan import DCGAN
from tf2cases.cases.linear_regression import LinearRegression
from tf2cases.cases.mnist import MNIST
from tf2cases.cases.retrain import RetrainedInception
from tf2cases.cases.vae import VAE
from tf2cases.errors import UsageError
from tf2cases.training import Case, checkpoints
from tf2cases.training import workdir as workdirs

# Maps the name in `config.json` to the case. Conformance tests and `bin.export` iterate over it.
REGISTRY = {
    case.Config.case: case
    for case in (LinearRegression, MNIST, CaptchaReader, DenoisingAutoencoder, VAE, DCGAN, RetrainedInception)
}


def restore(workdir: str, step: int | None = None) -> Case:
    """Rebuilds the trained case of a run from its folder, without its data.

    Args:
      workdir: path of the run's folder.
      step: the step of the checkpoint; the newest by default.

    Returns:
      The case.

    Raises:
      UsageError: there is no run, or no checkpoint.
    """
    record = workdirs.read_record(workdir)
    if record["case"] not in REGISTRY:
        raise UsageError(
            f"--workdir is {workdir!r}, but its case {record['case']!r} is not one of {', '.join(REGISTRY)}."
        )
    case_class = REGISTRY[record["case"]]
    case = case_class(case_class.Config.from_record(record["config"]), record["info"])
    directory = os.path.join(workdir, workdirs.CHECKPOINTS)
    if checkpoints.restore(directory, record["run"], step, partial=True, case=case) is None:
        raise UsageError(f"--workdir is {workdir!r}, but no checkpoint was saved there yet.")
    return case
