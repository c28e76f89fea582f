"""A phase-change memory device: programming noise, drift and 1/f read noise.

The statistical model of S. R. Nandakumar et al. (ICECS 2019, doi 10.1109/ICECS46596.2019.8964852)
and V. Joshi et al. (Nature Communications 11, 2473, 2020), with the constants of IBM's aihwkit
(`PCMLikeNoiseModel` in `src/aihwkit/inference/noise/pcm.py`, read and run at version 1.1.0).
Conductances are in microsiemens, times in seconds, arrays float64; g is of any shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import require

Floats = NDArray[np.float64]

G_MAX = 25.0
"""Largest conductance in uS: aihwkit, `SinglePairConductanceConverter(g_max)`; Joshi, Methods."""
T_0 = 20.0
"""Seconds from the last programming pulse to the first read: aihwkit, `t_0`."""
T_READ = 250e-9
"""Seconds of a read pulse: aihwkit, `t_read`."""
PROGRAMMING = (0.26348, 1.9650, -1.1731)
"""Deviation in uS after programming, by powers of g / G_MAX: aihwkit, `prog_coeff`."""
DRIFT_MEAN = (-0.0155, 0.0244, 0.049, 0.1)
"""Mean of nu: slope over ln(g / G_MAX), intercept, least, most: `generate_drift_coefficients`."""
DRIFT_DEVIATION = (-0.0125, -0.0059, 0.008, 0.045)
"""Its deviation from device to device, in the same form and from the same place."""
READ_NOISE = (0.0088, 0.65, 0.2)
"""Q_s = min(0.0088 / (g / G_MAX)**0.65, 0.2): `apply_drift_noise_to_conductance`."""
SMALLEST = 1e-7
"""Of g / G_MAX in a logarithm or a power: aihwkit, `_ZERO_CLIP`."""


def programming_deviation(g: Floats) -> Floats:
    """Return the deviation in uS of what programming to `g` leaves."""
    constant, linear, square = PROGRAMMING
    x = g / G_MAX
    return np.maximum(constant + linear * x + square * x**2, 0)


def programmed(g: Floats, normal: Floats) -> Floats:
    """Return what programming to `g` leaves, never below 0. normal : standard normal draws."""
    return np.maximum(g + programming_deviation(g) * normal, 0)


def drift_exponent(g: Floats, normal: Floats) -> Floats:
    """Return nu of devices programmed to `g`, never negative. normal : standard normal draws."""
    logarithm = np.log(np.maximum(g / G_MAX, SMALLEST))
    (slope, intercept, low, high), (slope_of, intercept_of, low_of, high_of) = (
        DRIFT_MEAN,
        DRIFT_DEVIATION,
    )
    mean = np.clip(slope * logarithm + intercept, low, high)
    deviation = np.clip(slope_of * logarithm + intercept_of, low_of, high_of)
    return np.abs(mean + deviation * normal)


def drifted(g: Floats, nu: Floats, time: float) -> Floats:
    """Return `g` after `time` seconds, ``g * ((time + T_0) / T_0)**-nu``.

    Raise `InputError` on a time before programming.
    """
    return np.asarray(g * _since(time) ** -nu)


def relative_noise(g: Floats) -> Floats:
    """Return Q_s of devices programmed to `g`: 1/f noise has the density ``(Q_s * G)**2 / f``."""
    factor, power, most = READ_NOISE
    return np.minimum(factor / np.maximum(g / G_MAX, SMALLEST) ** power, most)


def accumulated(time: float) -> float:
    """Return the integral of df / f, as far as 1/f noise has come `time` seconds after programming.

    The relative deviation of a read is Q_s times its root: ``ln((t + T_READ) / (2 * T_READ))`` with
    t = time + T_0.
    """
    return float(np.log((_since(time) * T_0 + T_READ) / (2 * T_READ)))


def fluctuating(window: float) -> float:
    """Return the part of `accumulated` that is new within `window` seconds; the rest is not."""
    return float(np.log(window / (2 * T_READ)))


def _since(time: float) -> float:
    known = bool(np.isfinite(time)) and time >= 0
    require(known, "time since programming", "0 seconds or more", time)
    return (time + T_0) / T_0
