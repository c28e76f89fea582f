"""A magnetic tunnel junction as a dropout module: switching probability, spread and stuck faults.

A module gets one pulse and has switched with probability

    P = 1 - exp(-(t_pulse / tau_0) * exp(-Delta * (1 - I / I_c)))

thermally activated reversal below the critical current: R. H. Koch, J. A. Katine, J. Z. Sun, Phys.
Rev. Lett. 92, 088302 (2004); Z. Li, S. Zhang, Phys. Rev. B 69, 134416 (2004). The current is set
once for all modules, for the wanted P of a nominal one; each module has an I_c and a Delta of its
own, and some never switch or always do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import MAX_PROBABILITY_BITS, Network
from bbnn.errors import require, require_int
from golden.source import Streams

Floats = NDArray[np.float64]

TAU_0 = 1e-9
"""Attempt time in seconds, the usual 1 ns of models of thermal activation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Junctions:
    """The modules of a chip.

    spread, barrier_spread : relative deviations of I_c and of Delta from module to module. No
        paper at hand states them for dropout modules; they are to be measured.
    stuck : share of modules that are stuck, one half at drop and one half at keep.
    barrier : Delta, 40 is what ten years of retention take. pulse : seconds.
    """

    spread: float = 0.01
    barrier_spread: float = 0.0
    stuck: float = 0.0
    barrier: float = 40.0
    pulse: float = 10e-9

    def __post_init__(self) -> None:
        for name in ("spread", "barrier_spread", "stuck"):
            self._require_within(name, 0, 1)
        self._require_within("barrier", 1, 1000)
        # Shorter pulses reverse by precession, which is not thermal (arXiv:2505.00418).
        self._require_within("pulse", 10e-9, 1)

    def _require_within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and math.isfinite(value) and low <= value <= high
        require(number, name.replace("_", " "), f"in {low:g}..{high:g}", value)


def current(junctions: Junctions, p: float) -> float:
    """Return I / I_c that switches a nominal module with probability `p`, 0 < p < 1."""
    rate = -math.log1p(-p) * TAU_0 / junctions.pulse
    return 1 + math.log(rate) / junctions.barrier


def switching(junctions: Junctions, relative_current: Floats, barrier: Floats) -> Floats:
    """Return P of modules that see I / I_c = `relative_current` and have Delta = `barrier`."""
    rate = np.exp(-barrier * (1 - relative_current)) * (junctions.pulse / TAU_0)
    return -np.expm1(-rate)


def probabilities(junctions: Junctions, p: float, count: int, rng: np.random.Generator) -> Floats:
    """Return with what probability each of `count` modules switches that is meant to with `p`."""
    critical = np.maximum(1 + junctions.spread * rng.standard_normal(count), 1e-3)
    barrier = junctions.barrier * (1 + junctions.barrier_spread * rng.standard_normal(count))
    fault = rng.random(count)
    switched = switching(junctions, current(junctions, p) / critical, np.maximum(barrier, 0))
    switched[fault < junctions.stuck] = 0
    switched[fault < junctions.stuck / 2] = 1
    return switched


def modules(
    network: Network, junctions: Junctions, chip: int, bits: int = MAX_PROBABILITY_BITS
) -> tuple[Network, Streams]:
    """Return the network with dropout words of `bits` bits, and the decisions of a chip's modules.

    chip : its seed. Each map of a layer with spatial dropout has a module, and the scale unit is
    one. Raise `InputError` on a network without dropout.
    """
    require_int("chip", chip, 0, 2**32 - 1)
    layers = list(network.layers)
    drop_codes: dict[int, NDArray[Any]] = {}
    for index, layer in enumerate(layers):
        dropout = layer.dropout
        if dropout is not None:
            require_int("bits", bits, dropout.bits, MAX_PROBABILITY_BITS)
            p = dropout.code / 2**dropout.bits
            rng = np.random.default_rng([chip, index])
            drop_codes[index] = _codes(probabilities(junctions, p, layer.maps, rng), bits)
            wide = replace(dropout, code=dropout.code << bits - dropout.bits, bits=bits)
            layers[index] = replace(layer, dropout=wide)
    unit, scale_code = network.scale_dropout, None
    if unit is not None:
        require_int("bits", bits, unit.bits, MAX_PROBABILITY_BITS)
        rng = np.random.default_rng([chip, len(layers)])
        p = unit.code / 2**unit.bits
        scale_code = int(_codes(probabilities(junctions, p, 1, rng), bits)[0])
        unit = replace(unit, code=unit.code << bits - unit.bits, bits=bits)
    random = bool(drop_codes) or unit is not None
    require(random, "layers", "with spatial or scale dropout for an MTJ", network.name)
    wide_network = replace(network, layers=tuple(layers), scale_dropout=unit)
    return wide_network, Streams(drop_codes=drop_codes, scale_code=scale_code)


def _codes(p: Floats, bits: int) -> NDArray[np.int64]:
    return np.asarray(np.rint(p * 2**bits), np.int64)
