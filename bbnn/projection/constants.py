"""The table of constants, and draws from it: every price low, typical or high, all at once.

Uncertainty is carried by Monte-Carlo: a price is an array whose first element is typical and whose
others are draws, half of them between low and typical, half between typical and high, uniform in
the logarithm. Whatever is computed from prices is such an array, and figures that share a constant
share its draws, so that ratios do not count an uncertainty twice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import require
from bbnn.projection.scaling import factor

Floats = NDArray[np.float64]
SEED, DRAWS = 1, 2000
BAND = (5, 95)
"""Percentiles of the draws that a range shows."""
EVIDENCE = ("seen", "recalled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Constant:
    """A line of the table. value : low, typical, high. citation : of its source, in full."""

    name: str
    value: tuple[float, float, float]
    unit: str
    node: float
    scaling: str
    evidence: str
    citation: str
    note: str


@cache
def table() -> Mapping[str, Constant]:
    """Return all constants by name; raise `InputError` on one that is not whole or not cited."""
    text = resources.files("bbnn.projection").joinpath("constants.toml").read_text("utf-8")
    return parsed(text)


def parsed(text: str) -> Mapping[str, Constant]:
    """Return the constants of a table's text, as `table`."""
    read = tomllib.loads(text)
    sources = read.pop("sources", {})
    return {name: _constant(name, entry, sources) for name, entry in read.items()}


def _constant(name: str, entry: dict[str, Any], sources: Mapping[str, str]) -> Constant:
    where = f"constants.toml: {name}"
    for field in ("value", "unit", "node", "scaling", "source", "evidence", "note"):
        require(bool(entry.get(field)), f"{where}.{field}", "given", entry.get(field))
    cited = sources.get(entry["source"])
    require(bool(cited), f"{where}.source", "among [sources]", entry["source"])
    known = entry["evidence"] in EVIDENCE
    require(known, f"{where}.evidence", " or ".join(EVIDENCE), entry["evidence"])
    known = entry["scaling"] in ("energy", "area", "none")
    require(known, f"{where}.scaling", "energy, area or none", entry["scaling"])
    low, typical, high = entry["value"]
    ordered = 0 < low <= typical <= high
    require(ordered, f"{where}.value", "positive and in order", entry["value"])
    return Constant(
        name=name,
        value=(low, typical, high),
        unit=entry["unit"],
        node=entry["node"],
        scaling=entry["scaling"],
        evidence=entry["evidence"],
        citation=str(cited),
        note=entry["note"],
    )


class Prices:
    """The constants at one node, each an array of 1 + DRAWS: typical, then draws."""

    def __init__(self, node: float, constants: Mapping[str, Constant] | None = None) -> None:
        """Raise `InputError` on a node that nothing scales to."""
        self.node = node
        self.used: set[str] = set()
        self._values: dict[str, Floats] = {}
        rng = np.random.default_rng(SEED)
        for name, constant in sorted((constants or table()).items()):
            low, typical, high = np.log(constant.value)
            side = rng.uniform(-1, 1, DRAWS)
            drawn = typical + np.where(side < 0, side * (typical - low), side * (high - typical))
            scale = factor(constant.scaling, constant.node, node)
            self._values[name] = scale * np.exp(np.concatenate([[typical], drawn]))

    def __getitem__(self, name: str) -> Floats:
        self.used.add(name)
        return self._values[name]


@dataclass(frozen=True, slots=True)
class Range:
    """A figure: typical constants, and the band in which 90 % of the draws lie."""

    low: float
    typical: float
    high: float


def ranged(values: Floats) -> Range:
    """Return the range of an array of typical value and draws; the typical one lies in it."""
    typical = float(values[0])
    low, high = np.percentile(values[1:], BAND) if len(values) > 1 else (typical, typical)
    return Range(min(float(low), typical), typical, max(float(high), typical))
