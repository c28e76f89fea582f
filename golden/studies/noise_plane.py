"""What the size of the noise plane costs: row bits K and probability bits b (docs/numbers.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from bbnn.description import Network
from golden.source import STREAMS, Source
from golden.studies.figures import Sets, figures
from golden.studies.independent import Independent
from golden.studies.words import TESTS, Sum, examine
from golden.variants import reseeded, rounded


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """b bits of probability and K bits a row; None has a word of its own for every weight."""

    probability_bits: int
    row_bits: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What one measurement is of: a plane, with streams of this number."""

    plane: Plane
    seed: int


def planes(probability_bits: Iterable[int], row_bits: Iterable[int | None]) -> list[Plane]:
    """Return every plane asked for, once; a K below b is raised to b, the least there is."""
    rows = list(row_bits)
    every = [
        Plane(probability_bits=b, row_bits=None if k is None else max(k, b))
        for b in probability_bits
        for k in rows
    ]
    return list(dict.fromkeys(every))


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisePlaneStudy:
    """Measures points. members : T. word_members : as many of them have their words tested."""

    network: Network
    sets: Sets
    members: int
    word_members: int

    def __call__(self, point: Point) -> dict[str, Any]:
        """Return figures, and by layer and test the fields of a `Sum`; all of it fit for JSON."""
        b, k = point.plane.probability_bits, point.plane.row_bits
        network = reseeded(rounded(self.network, b, b if k is None else k), point.seed)
        source: Source = Independent(point.seed) if k is None else STREAMS
        words = examine(network, self.word_members, source)
        return {
            **figures(network, source, self.sets, self.members),
            "words": {
                layer: {name: list(astuple(each)) for name, each in of.items()}
                for layer, of in words.items()
            },
        }


def pooled(results: Iterable[dict[str, Any]]) -> dict[str, dict[str, Sum]]:
    """Return the tests of several results added up: of each layer, and of "all" of them."""
    total: dict[str, dict[str, Sum]] = {"all": dict.fromkeys(TESTS, Sum())}
    for result in results:
        for layer, of in result["words"].items():
            for name, fields in of.items():
                for place in (layer, "all"):
                    sums = total.setdefault(place, dict.fromkeys(TESTS, Sum()))
                    sums[name] += Sum(*fields)
    return total
