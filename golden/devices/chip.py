"""One chip: the devices of a layer, programmed once, and what its comparators see of them later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer
from bbnn.errors import require_int
from golden.devices import pcm
from golden.devices.mapping import Cells, differences, targets
from golden.devices.normal import distribution
from golden.devices.pcm import Floats

Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices as programmed, arrays of one shape.

    g : conductance at the first read, uS. nu : drift exponents. noise : Q_s. wander : where in its
    distribution the noise stands that a chip keeps, standard normal.
    """

    g: Floats
    nu: Floats
    noise: Floats
    wander: Floats

    def at(self, cells: Cells, time: float) -> tuple[Floats, Floats]:
        """Return the mean conductance after `time` seconds and the deviation from read to read."""
        drifted = pcm.drifted(self.g, self.nu, time)
        noise = drifted * self.noise
        mean = drifted + noise * np.sqrt(cells.kept(time)) * self.wander
        fresh = 0.0 if cells.read_noise == "off" else cells.new_in_a_read(time)
        return np.maximum(mean, 0), noise * np.sqrt(fresh)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the comparators of a layer see, in uS.

    mean : of D, shape (rows, columns). own : deviation from read to read of the weight cells, same
    shape; shared : of the noise cells, which broadcasts to it: (rows, columns), (rows, 1) or
    (1, columns).
    """

    mean: Floats
    own: Floats
    shared: Floats

    def probabilities(self) -> Floats:
        """Return how likely each weight is read as +1, shape (rows, columns)."""
        deviation = np.sqrt(self.own**2 + self.shared**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.mean / deviation
        # Without noise D alone decides, and 0 is +1 as everywhere.
        return np.where(deviation > 0, distribution(z), (self.mean >= 0).astype(np.float64))

    def read(self, rng: Generator) -> Floats:
        """Return one read of D, shape (rows, columns): +1 where it is at least 0.

        Rows are read one after the other, all columns at once: cells that a row shares show the
        same noise to all its columns, a column's show other noise in every row.
        """
        seen_at_once = (len(self.mean), self.shared.shape[1])
        shared = self.shared * rng.standard_normal(seen_at_once)
        own = self.own * rng.standard_normal(self.own.shape)
        return np.asarray(self.mean + shared + own)


class Chip:
    """The planes of one layer on one chip: weight cells G+ and G-, noise cells N+ and N-."""

    def __init__(self, layer: Layer, index: int, cells: Cells, chip: int) -> None:
        """Program layer number `index` of a network on chip number `chip`, which is its seed."""
        require_int("chip", chip, 0, 2**32 - 1)
        self.cells = cells
        rng = np.random.default_rng([chip, index])
        full = 2**layer.probability_bits
        m = differences(cells, np.arange(full + 1) / full)
        plus, minus = (level[layer.codes] for level in targets(cells, m))
        rows, columns = layer.codes.shape
        shape = {"synapse": (rows, columns), "row": (rows, 1), "column": (1, columns)}
        noise = np.full(shape[cells.noise_cells], cells.noise_conductance)
        self.offset = cells.comparator_offset * rng.standard_normal(columns)
        placed = [self._programmed(each, rng) for each in (plus, minus, noise, noise)]
        residual = cells.residual * rng.standard_normal(layer.codes.shape)
        if cells.programming == "verify":
            noise_plus, noise_minus = placed[2:]
            error = placed[0] - placed[1] + noise_plus - noise_minus + self.offset
            error -= m[layer.codes] + residual
            # The cell that is too low gets the missing conductance: small pulses only add.
            placed[0] += np.maximum(-error, 0)
            placed[1] += np.maximum(error, 0)
        self.devices = [self._devices(each, rng) for each in placed]

    def _programmed(self, g: Floats, rng: Generator) -> Floats:
        return pcm.programmed(g, self.cells.programming_scale * rng.standard_normal(g.shape))

    def _devices(self, g: Floats, rng: Generator) -> Devices:
        nu = self.cells.drift_scale * pcm.drift_exponent(g, rng.standard_normal(g.shape))
        return Devices(g, nu, pcm.relative_noise(g), rng.standard_normal(g.shape))

    def read(self, time: float, compensated: bool) -> Reading:
        """Return what is seen `time` seconds after programming.

        compensated : the read voltages of both planes are set anew (`gains`).
        """
        gains = self.gains(time) if compensated else (1.0, 1.0)
        (plus, a), (minus, b), (up, c), (down, d) = (
            devices.at(self.cells, time) for devices in self.devices
        )
        return Reading(
            mean=gains[0] * (plus - minus) + gains[1] * (up - down) + self.offset,
            own=gains[0] * np.hypot(a, b),
            shared=gains[1] * np.hypot(c, d),
        )

    def gains(self, time: float) -> tuple[float, float]:
        """Return the gains of weight and noise plane that undo their common drift.

        One number a plane and layer. The weight plane is there for its conductance, and gets back
        its mean (aihwkit, `GlobalDriftCompensation`); the noise plane is there for its noise, and
        gets back the root of its mean variance from read to read. 1 where there is nothing to see.
        """
        conductance, variance = [], []
        for moment in (0.0, time):
            plus, minus, up, down = (devices.at(self.cells, moment) for devices in self.devices)
            conductance.append(float(plus[0].mean() + minus[0].mean()))
            variance.append(float((up[1] ** 2).mean() + (down[1] ** 2).mean()))
        return _ratio(*conductance), float(np.sqrt(_ratio(*variance)))


def _ratio(reference: float, now: float) -> float:
    return reference / now if now > 0 else 1.0


def effective_codes(probabilities: Floats, bits: int) -> NDArray[Any]:
    """Return the codes 0..2**bits nearest to `probabilities`."""
    return np.asarray(np.rint(probabilities * 2**bits), np.uint16)
