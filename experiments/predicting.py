"""Predictions as they come: their files, a table of all of them, and what could not be read."""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from tqdm import tqdm

from experiments.runtime import UserError, complain, say
from imo_jax.atomic_files import replacing
from imo_jax.predictor import EyeResult, NotRead, VolumeResult
from imo_jax.predictor.inputs import FAULTS

TABLE = "predictions.csv"
FAILED = 1  # exit code where some files could not be predicted and the others were

Result = EyeResult | VolumeResult


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What became of the eyes that were asked for.

    Attributes:
      said: what the JSON files hold, in order.
      failed: eyes whose files could not be used.
    """

    said: list[dict[str, Any]]
    failed: list[NotRead]

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else 0


def keep_all(
    results: Iterator[Result | NotRead],
    files: Sequence[Mapping[str, str]],
    folder: pathlib.Path,
    row: Callable[[Any], dict[str, Any]],
    *,
    many: bool,
) -> Predicted:
    """Saves results one after the other, and where there are many, a table of them.

    Args:
      results: of a predictor.
      files: for each of them, column -> file that it was predicted from.
      folder: to write to.
      row: the columns of a result.
      many: also writes predictions.csv, even after an interrupt, and says at the end what failed.

    Raises:
      UserError: a file that cannot be used and is the only one, or a folder that cannot be written.
    """
    done, rows = Predicted([], []), []
    table = folder / TABLE if many else None
    try:
        with table_of(rows, table), bar_of(len(files), many) as bar:
            for given, result in zip(files, results, strict=True):
                if isinstance(result, NotRead):
                    done.failed.append(result)
                    rows.append({"id": result.id, **given, "error": result.reason})
                    line = f"{result.id}: not predicted, {result.reason}"
                else:
                    done.said.append(result.save(folder))
                    rows.append({"id": result.id, **given, **row(result), "error": None})
                    line = str(result)
                with tqdm.external_write_mode(file=sys.stderr):
                    say(line)
                bar.update()
    except OSError as error:  # of the reading, BadFile tells
        raise UserError(f"{folder} cannot be written: {error}") from error
    except FAULTS as error:
        raise UserError(str(error)) from error
    say(f"written to {folder}")
    if done.failed:
        complain(UserError(in_words(done)))
    return done


def in_words(done: Predicted) -> str:
    """How many failed, and each with its reason."""
    number = len(done.failed) + len(done.said)
    lines = [f"{len(done.failed)} of {number} could not be predicted:"]
    return "\n".join([*lines, *(f"  {failed.id}: {failed.reason}" for failed in done.failed)])


def bar_of(number: int, wanted: bool) -> tqdm:
    """A progress bar on a terminal, nothing elsewhere."""
    hidden = not wanted or not sys.stderr.isatty()
    return tqdm(total=number, disable=hidden, file=sys.stderr, unit="eye", dynamic_ncols=True)


@contextlib.contextmanager
def table_of(rows: list[dict[str, Any]], path: pathlib.Path | None) -> Iterator[None]:
    """Writes the rows that are there when the block ends, however it ends; None = no table."""
    try:
        yield
    finally:
        if path is not None and rows:
            # Columns of eyes that failed are few; those of the others come before `error`.
            columns = list(dict.fromkeys(name for row in rows for name in row if name != "error"))
            with replacing(path) as part:
                # As objects: whole numbers stay whole beside empty cells.
                table = pd.DataFrame(rows, columns=[*columns, "error"], dtype=object)
                table.to_csv(part, index=False)
