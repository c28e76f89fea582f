"""How many members stratification saves: quality over T, of independent and stratified ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bbnn.description import Network
from golden import metrics
from golden.network import logits
from golden.studies.figures import Sets
from golden.variants import reseeded

Drawn = Literal["independent", "stratified"]
KINDS: tuple[Drawn, ...] = ("independent", "stratified")


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What one measurement is of: how members are drawn, from streams of this number."""

    drawn: Drawn
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MembersStudy:
    """Measures points. most : the largest T."""

    network: Network
    sets: Sets
    most: int

    def __call__(self, point: Point) -> dict[str, Any]:
        """Return accuracy and NLL of the first 1, 2, ... members, lists of `most` floats.

        The first T members of an image are what an ensemble of T has, whatever follows.
        """
        network = reseeded(drawn(self.network, point.drawn), point.seed)
        raw = logits(network, self.sets.images, self.most)
        member_q = metrics.softmax(raw, network.output.fraction_bits)
        count = np.arange(1, self.most + 1)[:, None]
        result: dict[str, Any] = {"accuracy": [], "nll": []}
        for q in np.moveaxis(np.cumsum(member_q, axis=1) / count, 1, 0):
            result["accuracy"].append(metrics.accuracy(q, self.sets.labels))
            result["nll"].append(metrics.nll(q, self.sets.labels))
        return result


def drawn(network: Network, kind: Drawn) -> Network:
    """Return the network with its members drawn so; raise `InputError` where it cannot be."""
    return replace(network, ensemble=replace(network.ensemble, stratified=kind == "stratified"))


def needed(nll: Sequence[float], target: float) -> float | None:
    """Return the first T at which an NLL over T = 1, 2, ... has come down to `target`.

    Between two T it is interpolated. None if it never does.
    """
    for place, value in enumerate(nll):
        if value <= target:
            if place == 0:
                return 1.0
            before = nll[place - 1]
            return place + (before - target) / (before - value)
    return None
