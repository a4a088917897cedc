"""Grades of a network and of a set that it was not trained on: how both are brought to common ones."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from imo_jax.labels import SCREENING_NAMES

BINARY = "binary"  # value of --grade_map: normal against the rest

Names = tuple[str, ...]
Link = tuple[int, int]  # numbers of a grade of the network and of one of the set that are the same


@dataclasses.dataclass(frozen=True)
class GradeMap:
    """What grades are scored as.

    Attributes:
      names: of the grades that are scored, from normal (0) to the worst.
      of_network: the scored grade of each of the network's.
      of_set: the scored grade of each of the set's.
      in_words: a sentence on how they were matched; None where both have the same.
    """

    names: Names
    of_network: tuple[int, ...]
    of_set: tuple[int, ...]
    in_words: str | None = None

    @property
    def merges(self) -> bool:
        """Whether several grades of the network are scored as one."""
        return len(set(self.of_network)) < len(self.of_network)

    def probabilities(self, of_network: np.ndarray | None) -> np.ndarray | None:
        """(G,) probabilities of the network's grades -> (len(names),) of the scored ones."""
        if of_network is None:
            return None
        return np.bincount(self.of_network, of_network, len(self.names)).astype(of_network.dtype)


def grade_map(network: Names, of_set: Names, asked: str | None = None) -> GradeMap:
    """Matches the grades of a network with those of a set.

    Without `asked`: by name, where every grade of the set is one of the network's and their order is
    the same; else, where one of both tells two grades alone, normal against the rest.

    Args:
      network, of_set: names of the grades, from normal to the worst.
      asked: None, BINARY, or "set's=network's,...": which are the same beside those of one name. A
        grade may be in several pairs: what hangs together is scored as one.

    Raises:
      ValueError: they cannot be matched, in one sentence.
    """
    if network == of_set and asked is None:
        own = tuple(range(len(network)))
        return GradeMap(network, own, own)
    by_name = [(n, s) for s, name in enumerate(of_set) for n in _places(network, name)]
    if asked is not None and asked != BINARY:
        found = _joined(network, of_set, [*_pairs(network, of_set, asked, by_name)])
        return _told(found, network, of_set, f"as --grade_map={asked} says")
    if asked is None and len(by_name) == len(of_set) and sorted(by_name) == by_name:
        return _told(_joined(network, of_set, by_name), network, of_set, "by name")
    if asked == BINARY or 2 in (len(network), len(of_set)):
        return _told(_binary(network, of_set), network, of_set, "as normal against the rest")
    raise ValueError(
        f"the network's grades are {', '.join(network)}, those of the manifest "
        f"{', '.join(of_set)}: say which are the same with --grade_map=MANIFEST'S=NETWORK'S,..., or "
        f"give --grade_map={BINARY} for normal against the rest"
    )


def _places(names: Names, name: str) -> list[int]:
    """The number of a grade by its name, in whatever letter case; [] where there is none."""
    return [k for k, known in enumerate(names) if known.casefold() == name.casefold()]


def _binary(network: Names, of_set: Names) -> GradeMap:
    names = next((names for names in (network, of_set) if len(names) == 2), SCREENING_NAMES)
    of_network, of_manifest = (
        tuple(min(k, 1) for k in range(len(of))) for of in (network, of_set)
    )
    return GradeMap(names, of_network, of_manifest)


def _pairs(network: Names, of_set: Names, asked: str, by_name: Sequence[Link]) -> Iterator[Link]:
    """The links that a user gives, and those by name of grades of the set that none has."""
    given = []
    for pair in asked.split(","):
        there, equals, here = (part.strip() for part in pair.partition("="))
        places = _places(network, here), _places(of_set, there)
        if not equals or not all(places):
            raise ValueError(
                f"grade_map: {pair.strip()!r} is no pair MANIFEST'S=NETWORK'S of {', '.join(of_set)} "
                f"and {', '.join(network)}"
            )
        given.append((places[0][0], places[1][0]))
    yield from given
    linked = {s for _, s in given}
    yield from (link for link in by_name if link[1] not in linked)
    absent = [name for s, name in enumerate(of_set) if s not in linked | {s for _, s in by_name}]
    if absent:
        raise ValueError(f"grade_map={asked} does not say which grade of the network's "
                        f"({', '.join(network)}) is {', '.join(absent)}")  # fmt: skip


def _joined(network: Names, of_set: Names, links: Sequence[Link]) -> GradeMap:
    """What hangs together by links as one grade, in the order of the network's.

    Raises:
      ValueError: the order of the set's would be another, or normal would not be a grade of its own.
    """
    # Each grade of the network begins as a class of its own; a grade of the set joins its classes.
    class_of = list(range(len(network)))
    for s in range(len(of_set)):
        joined = {class_of[n] for n, linked in links if linked == s}
        class_of = [min(joined) if c in joined else c for c in class_of]
    classes = sorted(set(class_of))
    of_network = tuple(classes.index(c) for c in class_of)
    scored = [next(of_network[n] for n, linked in links if linked == s) for s in range(len(of_set))]
    if list(of_network) != sorted(of_network) or scored != sorted(scored):
        raise ValueError("grade_map: the grades of network and manifest would not be in one order")
    if (of_network.count(0), scored.count(0), scored[0]) != (1, 1, 0):
        raise ValueError(
            f"grade_map: {network[0]} and {of_set[0]} are eyes without glaucoma; they must be "
            "matched with each other and with no other grade"
        )
    names = []
    for k in range(len(classes)):
        own = [name for name, c in zip(network, of_network, strict=True) if c == k]
        others = [name for name, c in zip(of_set, scored, strict=True) if c == k]
        names.append("+".join(others if len(own) > 1 and len(others) == 1 else own))
    return GradeMap(tuple(names), of_network, tuple(scored))


def _told(found: GradeMap, network: Names, of_set: Names, how: str) -> GradeMap:
    """The map with its sentence."""

    def of(names: Names, scored: Sequence[int], k: int) -> str:
        return ", ".join(n for n, c in zip(names, scored, strict=True) if c == k) or "none"

    said = "; ".join(
        f"{name} (network: {of(network, found.of_network, k)}; manifest: "
        f"{of(of_set, found.of_set, k)})"
        for k, name in enumerate(found.names)
    )
    return dataclasses.replace(found, in_words=f"Grades are matched {how}: {said}.")
