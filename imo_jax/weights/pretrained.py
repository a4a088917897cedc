"""Pretrained weights into the backbone of any network, from any file that is understood."""

import pathlib
from collections.abc import Mapping

from imo_jax.weights.family import put
from imo_jax.weights.files import read_state_dict
from imo_jax.weights.packages import PACKAGES, weights_file
from imo_jax.weights.recognise import FAMILIES, recognise
from imo_jax.weights.rules import WeightsError


def weights_path(weights: str | pathlib.Path) -> pathlib.Path:
    """The file that is meant: itself, or an installed package's of packages.PACKAGES.

    Raises:
      FileNotFoundError: no such file.
      ImportError: the package is not installed; the message says how to.
    """
    if str(weights) in PACKAGES:
        return weights_file(str(weights))
    path = pathlib.Path(weights)
    if not path.is_file():
        names = ", ".join(PACKAGES)
        raise FileNotFoundError(f"{path}: no such file (names of installed weights: {names})")
    return path


def load_pretrained(
    path: str | pathlib.Path, variables: Mapping, at: tuple[str, ...] = ("backbone",)
) -> tuple[dict, str]:
    """Puts a file of pretrained weights into the backbone of an initialised network.

    Family and naming (torchvision's, timm's, Hugging Face's, the authors') are recognised from the
    names of the file's arrays. Every array is used, or ignored by name; every variable of the
    backbone is filled, or is one that some files lack.

    Where the first convolution takes another number of channels than the file's, each of its n
    channels gets 1/n of the sum over the file's: an image whose channels are all equal is seen as
    before. Position embeddings (bicubic), tables of relative positions and of distances (bilinear)
    are resized where the network is built for another image size.

    Args:
      path: `.safetensors`, `.npz`, or a PyTorch file (`.pth`, `.pt`, `.bin`); or a name of
        packages.PACKAGES, which stands for the file of an installed package.
      variables: {"params", "batch_stats"} of the network.
      at: where in both the backbone's variables are; () = the network is a backbone. IMO's is at
        ("fundus_encoder", "backbone").

    Returns:
      The variables with the backbone's replaced (float32 numpy arrays), and a line that says what
      was loaded, what of the file was ignored and what of the network stays as it was.

    Raises:
      FileNotFoundError, ValueError: of reading, see `files.read_state_dict`.
      ImportError: the name of a package that is not installed.
      ValueError: the network has no known backbone at `at`.
      WeightsError (a ValueError): the names are of no known family; the family or its size is not
        the network's (in one line); or single arrays are missing, misshapen or without a place (all
        of them listed).
    """
    path = weights_path(path)
    try:
        return put(recognise(read_state_dict(path)), variables, tuple(at), FAMILIES)
    except WeightsError as error:
        raise WeightsError(error.problems, str(path)) from None
