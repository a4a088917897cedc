"""Scores of each data set of which a set was joined."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

NO_SOURCE = "no source"  # of rows whose column `source` is empty, beside others

Record = TypeVar("Record")
Summary = Mapping[str, Any]  # key -> {"value", "low", "high"}, None, or what was evaluated


def by_source(
    records: Sequence[Record], sources: Sequence[str], scores: Callable[[list[Record]], Summary]
) -> dict[str, Summary]:
    """The scores of each data set that a manifest was joined from; {} of a single one.

    Args:
      records: of a split.
      sources: the data set of each.
      scores: of some of them.
    """
    members: dict[str, list[Record]] = {}
    for record, source in zip(records, sources, strict=True):
        members.setdefault(source or NO_SOURCE, []).append(record)
    return {n: scores(of_set) for n, of_set in members.items()} if len(members) > 1 else {}
