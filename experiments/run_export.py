"""Export: a trained run as files that are used without this project."""

import pathlib

from experiments.run_folder import replaced_folder
from experiments.runtime import UserError, say
from imo_jax.export.bundle import CARD, bundle_of
from imo_jax.predictor import EyePredictor, VolumePredictor


def run_export(
    predictor: EyePredictor | VolumePredictor, *, format: str, out: pathlib.Path
) -> pathlib.Path:
    """Writes the functions of a run, their card and an example; the folder, whole or not at all.

    Args:
      predictor: of the run.
      format: a name of `imo_jax.export.bundle.FORMATS`.
      out: folder to write; an export that lies there is replaced.

    Raises:
      UserError: the folder holds something else, or cannot be written, or the format needs a
        package, or cannot hold this network.
    """
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / CARD).exists())):
        raise UserError(
            f"{out} holds something else than an export, and would be replaced: name a folder of "
            "its own with --out"
        )
    try:
        files = bundle_of(predictor, format)
    except (ImportError, ValueError) as error:
        raise UserError(f"--format={format}: {error}") from error
    try:
        with replaced_folder(out) as folder:
            for name, content in files.items():
                (folder / name).write_bytes(content)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error}") from error
    sizes = [f"{name} ({len(x) / 1e6:.2f} MB)" for name, x in files.items() if format in name]
    say(f"written to {out}: {', '.join(sizes)}; card.md says what they are, example.py uses them")
    return out
