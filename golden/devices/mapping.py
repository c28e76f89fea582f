"""How a probability becomes a difference of conductances, and what a plane is built of.

A column's comparator sees ``D = (G+ - G-) + (N+ - N-) + offset`` of a synapse's weight cells G and
of the noise cells N, and reads +1 where D >= 0. With m the mean of D and s the deviation of what is
new in every read, ``P(+1) = Phi(m / s)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bbnn.errors import require
from golden.devices import pcm
from golden.devices.normal import quantile
from golden.devices.pcm import G_MAX, T_0, T_READ, Floats

LOGISTIC = 1.702
"""Phi(x) is within 0.0095 of 1 / (1 + exp(-LOGISTIC * x)) (Haley 1952; Camilli 1994)."""
ROUNDS = 40
"""Of the fixed point: s depends on m through the noise of the weight cells."""
CHOICES = {
    "programming": ("open_loop", "verify"),
    "read_noise": ("iid", "slow+fast", "off"),
    "mapping": ("exact", "linear"),
    "noise_cells": ("synapse", "row", "column"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """What the planes of a chip are built of; conductances in uS.

    programming : "open_loop" leaves the noise of programming; "verify" trims each synapse's D,
        its noise cells and comparator in the loop, to a normal error of `residual`.
    read_noise : "iid", all 1/f noise since programming is new in every read; "slow+fast", only what
        is faster than `window` seconds, the rest being an offset that a chip keeps; "off", none:
        every read is alike, whatever the mapping was made for.
    mapping : "exact", ``m = s * quantile(p)``; "linear" in lambda = ln(p / (1 - p)) / 2, with the s
        of p = 1/2.
    noise_cells : a pair of them for every synapse, or one that a row's or a column's share.
    noise_conductance : of the noise cells. base : of the weight cell that carries nothing.
    limit : abs(m) is at most so many s (and G_MAX - base); certain weights stand there.
    comparator_offset : deviation of a column's offset, referred to conductance.
    programming_scale, drift_scale : multiply the noise of programming and nu, as in aihwkit
        (`prog_noise_scale`, `drift_scale`); 0 switches them off.
    """

    programming: Literal["open_loop", "verify"] = "verify"
    read_noise: Literal["iid", "slow+fast", "off"] = "iid"
    mapping: Literal["exact", "linear"] = "exact"
    noise_cells: Literal["synapse", "row", "column"] = "synapse"
    noise_conductance: float = 8.2
    base: float = 0.0
    limit: float = 4.0
    residual: float = 0.1
    window: float = 1e-3
    comparator_offset: float = 0.0
    programming_scale: float = 1.0
    drift_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            value = getattr(self, name)
            require(value in known, name.replace("_", " "), f"one of {', '.join(known)}", value)
        for name in ("residual", "comparator_offset", "programming_scale", "drift_scale"):
            self._require_within(name, 0, math.inf)
        self._require_within("noise_conductance", 0.1, G_MAX)
        self._require_within("base", 0, G_MAX / 2)
        self._require_within("limit", 0.1, 1000)
        self._require_within("window", 4 * T_READ, T_0)

    def _require_within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and math.isfinite(value) and low <= value <= high
        expected = "0 or more" if (low, high) == (0, math.inf) else f"in {low:g}..{high:g}"
        require(number, name.replace("_", " "), expected, value)

    def new_in_a_read(self, time: float) -> float:
        """Return the integral of df / f over the noise that is meant to be new in a read."""
        slow = self.read_noise == "slow+fast"
        return pcm.fluctuating(self.window) if slow else pcm.accumulated(time)

    def kept(self, time: float) -> float:
        """Return the integral of df / f over the noise that a chip keeps for all its reads."""
        return pcm.accumulated(time) - self.new_in_a_read(time)


def differences(cells: Cells, p: Floats) -> Floats:
    """Return m = G+ - G-, uS, for probabilities `p`, shape (n,), right after programming."""
    most = G_MAX - cells.base
    zero = np.zeros_like(p)
    if cells.mapping == "linear":
        scale = deviation(cells, zero)
        with np.errstate(divide="ignore"):
            lam = (np.log(p) - np.log1p(-p)) / 2
        z = np.clip(2 * lam / LOGISTIC, -cells.limit, cells.limit)
        return np.clip(z * scale, -most, most)
    z = np.clip(quantile(p), -cells.limit, cells.limit)
    m = zero
    for _ in range(ROUNDS):
        m = np.clip(z * deviation(cells, m), -most, most)
    return m


def targets(cells: Cells, m: Floats) -> tuple[Floats, Floats]:
    """Return the conductances G+ and G- that differ by `m`."""
    return cells.base + np.maximum(m, 0), cells.base + np.maximum(-m, 0)


def deviation(cells: Cells, m: Floats) -> Floats:
    """Return s, uS, of synapses with the differences `m`, right after programming."""
    noise = np.full_like(m, cells.noise_conductance)
    devices = (*targets(cells, m), noise, noise)
    variance = sum((g * pcm.relative_noise(g)) ** 2 for g in devices)
    return np.sqrt(variance * cells.new_in_a_read(0))
