"""A class that is a threshold of mean deviation: what one task teaches the other is what it was made from."""

from __future__ import annotations

from collections.abc import Iterable

# Eyes of each class with an MD; fewer may be told apart by a threshold by chance.
ENOUGH = 30

SENTENCE = (
    "in all {number} volumes with md the class is md <= {threshold:g} dB: class and MD are one fact, and "
    "a gain of learning both together is circular here"
)


def md_threshold(labelled: Iterable[tuple[int | None, float | None]], fewest: int = 1) -> float | None:
    """The largest MD of glaucoma in dB, where every normal eye lies above it.

    Args:
      labelled: (glaucoma 0 or 1, MD in dB) of each eye, None where not known.
      fewest: eyes that there must be of each class, with an MD.

    Returns:
      None where the classes overlap, or where there are not so many eyes.
    """
    of_class: dict[int, list[float]] = {0: [], 1: []}
    for glaucoma, md in labelled:
        if glaucoma is not None and md is not None:
            of_class[glaucoma].append(md)
    if min(map(len, of_class.values())) < fewest or max(of_class[1]) >= min(of_class[0]):
        return None
    return max(of_class[1])


def circular(labelled: Iterable[tuple[int | None, float | None]]) -> str | None:
    """What is to be said of eyes whose class is a threshold of MD; None where it is none."""
    labelled = [pair for pair in labelled if None not in pair]
    threshold = md_threshold(labelled, ENOUGH)
    return None if threshold is None else SENTENCE.format(number=len(labelled), threshold=threshold)
