"""From one technology node to another, after Stillmaker and Baas (`stillmaker` in the table).

Energy: their polynomials in the supply voltage, high-performance transistors from 45 nm down, at
each node's nominal voltage. Area: their table. Nodes between are interpolated, both logarithms
straight. The figures were read in https://github.com/wromaszkan/nodeScale, and agree with the
example of the authors' corrigendum, which a test repeats. Delays are not scaled: their polynomials
for 32 and 20 nm cross at these voltages.
"""

from __future__ import annotations

import numpy as np

from bbnn.errors import require

ENERGY = {
    90: ((4.762, -4.781, 2.092), 1.2),
    65: ((3.755, -4.398, 1.975), 1.1),
    45: ((1.018, -0.3107, 0.1539), 1.0),
    32: ((0.8367, -0.4341, 0.1701), 0.9),
    20: ((0.373, -0.1582, 0.04104), 0.9),
    16: ((0.2958, -0.1241, 0.03024), 0.85),
    14: ((0.2363, -0.09675, 0.02239), 0.8),
    10: ((0.2068, -0.09311, 0.02375), 0.75),
    7: ((0.1776, -0.09097, 0.02447), 0.7),
}
"""Node in nm -> coefficients of V**2, V and 1, and the nominal voltage."""
AREA = {
    90: 2.8,
    65: 1.5,
    45: 1.0,
    32: 0.46,
    20: 0.21,
    16: 0.19,
    14: 0.17,
    10: 0.10,
    7: 0.059,
}
"""Node in nm -> area, 1 at 45 nm."""
NODES = (min(AREA), max(AREA))


def energy_at(node: int, volts: float) -> float:
    """Return the energy factor of a tabulated node at a supply voltage."""
    a, b, c = ENERGY[node][0]
    return a * volts**2 + b * volts + c


def factor(kind: str, source: float, target: float) -> float:
    """Return what a constant at `source` nm is multiplied by at `target` nm.

    kind : "energy", "area" or "none". Raise `InputError` on a node outside of 7..90 nm.
    """
    for node in (source, target):
        require(NODES[0] <= node <= NODES[1], "--node", "in 7..90 nm", node)
    if kind == "none":
        return 1.0
    curve = (
        {node: energy_at(node, ENERGY[node][1]) for node in ENERGY} if kind == "energy" else AREA
    )
    nodes = np.array(sorted(curve))
    values = np.log([curve[int(node)] for node in nodes])
    ends = np.interp(np.log([source, target]), np.log(nodes), values)
    return float(np.exp(ends[1] - ends[0]))
