"""Predictions as they come: their files, a table of all of them, and what could not be read."""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from tqdm import tqdm

from data_pipelines.bad_file import BadFile
from experiments.runtime import UserError, complain, say
from imo_jax.atomic_files import write_table
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
      failed: eyes whose files could not be used, or not all that was asked for be written.
      rows: of the table, one an eye.
    """

    said: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failed: list[NotRead] = dataclasses.field(default_factory=list)
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else 0

    def failures(self) -> str:
        """How many failed, and each with its reason."""
        head = f"{len(self.failed)} of {len(self.rows)} failed:"
        return "\n".join([head, *(f"  {failed.id}: {failed.reason}" for failed in self.failed)])


def keep_all(
    results: Iterator[Result | NotRead],
    files: Sequence[Mapping[str, str]],
    folder: pathlib.Path,
    row: Callable[[Any], dict[str, Any]],
    *,
    many: bool,
    beside: Callable[[Any, Mapping[str, str]], None] = lambda result, files: None,
) -> Predicted:
    """Saves results one after the other, and where there are many, a table of them.

    Args:
      results: of a predictor.
      files: for each of them, column -> file that it was predicted from.
      folder: to write to.
      row: the columns of a result.
      many: also writes predictions.csv, even after an interrupt.
      beside: writes what else is wanted of a result and its files; may raise BadFile.

    Raises:
      UserError: a file that cannot be used and is the only one, or a folder that cannot be written.
    """
    done = Predicted()
    table = folder / TABLE if many else None
    try:
        with table_of(done.rows, table), bar_of(len(files), many) as bar:
            for given, result in zip(files, results, strict=True):
                cells, error = kept(done, result, given, folder, row, beside)
                done.rows.append({"id": result.id, **given, **cells, "error": error})
                if error is not None:
                    done.failed.append(NotRead(result.id, error))
                with tqdm.external_write_mode(file=sys.stderr):
                    say(str(result) if error is None else f"{result.id}: failed, {error}")
                bar.update()
    except OSError as error:  # of the reading, BadFile tells
        raise UserError(f"{folder} cannot be written: {error}") from error
    except FAULTS as error:
        raise UserError(str(error)) from error
    say(f"written to {folder}")
    if done.failed:
        complain(UserError(done.failures()))
    return done


def kept(
    done: Predicted,
    result: Result | NotRead,
    given: Mapping[str, str],
    folder: pathlib.Path,
    row: Callable[[Any], dict[str, Any]],
    beside: Callable[[Any, Mapping[str, str]], None],
) -> tuple[dict[str, Any], str | None]:
    """Saves a result; its cells of the table, and what failed of it, or None."""
    if isinstance(result, NotRead):
        return {}, result.reason
    done.said.append(result.save(folder))
    try:
        beside(result, given)
    except BadFile as error:
        return row(result), str(error)
    return row(result), None


def bar_of(number: int, wanted: bool) -> tqdm:
    """A progress bar on a terminal, nothing elsewhere."""
    hidden = not wanted or not sys.stderr.isatty()
    return tqdm(total=number, disable=hidden, file=sys.stderr, unit=" files", dynamic_ncols=True)


@contextlib.contextmanager
def table_of(rows: list[dict[str, Any]], path: pathlib.Path | None) -> Iterator[None]:
    """Writes the rows that are there when the block ends, however it ends; None = no table."""
    try:
        yield
    finally:
        if path is not None and rows:
            # Columns of eyes that failed are few; those of the others come before `error`.
            columns = list(dict.fromkeys(name for row in rows for name in row if name != "error"))
            # As objects: whole numbers stay whole beside empty cells.
            write_table(path, pd.DataFrame(rows, columns=[*columns, "error"], dtype=object))
