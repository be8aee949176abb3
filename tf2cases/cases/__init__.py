"""The cases, one file each."""

from tf2cases.cases.autoencoder import DenoisingAutoencoder
from tf2cases.cases.captcha import CaptchaReader
from tf2cases.cases.dcgan import DCGAN
from tf2cases.cases.linear_regression import LinearRegression
from tf2cases.cases.mnist import MNIST
from tf2cases.cases.retrain import RetrainedInception
from tf2cases.cases.vae import VAE
from tf2cases.errors import UsageError
from tf2cases.training import Case, initial
from tf2cases.training import workdir as workdirs

_ALL = (LinearRegression, MNIST, CaptchaReader, DenoisingAutoencoder, VAE, DCGAN, RetrainedInception)

# Maps the name in `config.json` to the case. Conformance tests and `bin.export` iterate over it.
REGISTRY = {case.Config.case: case for case in _ALL}


def named(name: str) -> type[Case]:
    """The class of a registered case.

    Raises:
      UsageError: there is none of this name.
    """
    if name not in REGISTRY:
        raise UsageError(
            f"the case {name!r} is not one of {', '.join(REGISTRY)}; name the class of another case with "
            "--case=MODULE:CLASS."
        )
    return REGISTRY[name]


def restore(workdir: str, step: int | None = None, case_class: type[Case] | None = None) -> Case:
    """Rebuilds the trained case of a run from its folder, without its data.

    Args:
      workdir: path of the run's folder.
      step: the step of the checkpoint; the newest by default.
      case_class: the class of a case that is not registered; by default, the registered one that the run names.

    Returns:
      The case.

    Raises:
      UsageError: there is no run or no checkpoint, its case is not registered, or `case_class` is another case.
    """
    record = workdirs.read_record(workdir)
    case_class = case_class or named(record["case"])
    if case_class.Config.case != record["case"]:
        raise UsageError(
            f"--case is {case_class.__name__}, whose name is {case_class.Config.case!r}, but the run in "
            f"--workdir={workdir} is of the case {record['case']!r}."
        )
    return initial.restore(case_class, workdir, step)
