"""What a network is compared with, priced from the same table: one difference each.

sram-B       codes of B bits in SRAM, an LFSR and a comparator a lane
shared       the network's own codes in SRAM, random words of its noise plane
adc          the columns of PCM arrays converted, not single rows sensed
element      dropout by a source a word line or neuron and read, not one a map or layer
frequentist  the plain binary network of the likelier weights, run once
non-spiking  the quantised network that a spiking one was converted from (a file of its own)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bbnn.description import Layer, Network, Threshold, deterministic
from bbnn.projection.constants import Floats, Prices
from bbnn.projection.counts import Mode
from bbnn.projection.model import Projection, project
from bbnn.projection.technologies import Technology, module_energy

PRECISIONS = (1, 4, 8)


def recoded(network: Network, bits: int) -> Network:
    """Return the network with codes of `bits` bits wherever it samples; only their width counts.

    Certain weights stay certain, others stay stochastic.
    """

    def wider(layer: Layer) -> Layer:
        if not layer.probability_bits:
            return layer
        assert layer.noise is not None
        full, old = 2**bits, 2**layer.probability_bits
        near = np.rint(layer.codes * (full / old)).astype(np.int64)
        inside = (layer.codes > 0) & (layer.codes < old)
        codes = np.where(inside, np.clip(near, 1, full - 1), near).astype(np.uint16)
        noise = replace(layer.noise, row_bits=max(bits, layer.noise.row_bits))
        return replace(layer, codes=codes, probability_bits=bits, noise=noise)

    return replace(network, layers=tuple(map(wider, network.layers)))


def baselines_of(
    network: Network, technology: Technology, prices: Prices, mode: Mode, members: int
) -> dict[str, Projection]:
    """Return the projections that there are for a network, by the names above."""
    found = {}
    if any(layer.probability_bits for layer in network.layers):
        for bits in PRECISIONS:
            wide = recoded(network, bits)
            found[f"sram-{bits}"] = project(wide, "sram", prices, mode, members)
        found["shared"] = project(network, "shared", prices, mode, members)
    if technology == "pcm":
        found["adc"] = project(network, "adc", prices, mode, members)
    once = deterministic(network)
    found["frequentist"] = project(once, technology, prices, Mode(), 1)
    if element_draws(network, members):
        found["element"] = element(network, technology, prices, mode, members)
    return found


def element(
    network: Network, technology: Technology, prices: Prices, mode: Mode, members: int
) -> Projection:
    """Return the projection with element-wise dropout; only its randomness differs."""
    own = project(network, technology, prices, mode, members)
    draws = element_draws(network, members)
    energy = draws * module_energy(technology, _bits(network), prices) * 1e-12
    area = modules(network)[1] * prices["register_area"] * 1e-6
    return replace(
        own,
        energies={**own.energies, "randomness": energy},
        areas={**own.areas, "randomness": area},
    )


def dropout_energy(network: Network, technology: Technology, prices: Prices, draws: int) -> Floats:
    """Return the energy in J of so many dropout decisions of a network."""
    return draws * module_energy(technology, _bits(network), prices) * 1e-12


def modules(network: Network) -> tuple[int, int]:
    """Return the dropout modules of the network, and those of the element-wise one.

    The latter has one a word line or neuron; of a convolution's map, K*K instead of one.
    """
    own = wise = 0
    for layer in network.layers:
        if layer.dropout is not None:
            own, wise = own + layer.maps, wise + layer.rows
        if _scaled(layer):
            wise += layer.columns
    return own or int(network.scale_dropout is not None), wise


def element_draws(network: Network, members: int) -> int:
    """Return the decisions of element-wise dropout an inference: every module at every position."""
    total = 0
    for index, layer in enumerate(network.layers):
        if index < network.first_ensembling:
            continue
        if layer.dropout is not None:
            total += layer.positions * layer.rows
        if _scaled(layer):
            total += layer.positions * layer.columns
    return members * total


def _scaled(layer: Layer) -> bool:
    return isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None


def _bits(network: Network) -> int:
    dropout = next((layer.dropout for layer in network.layers if layer.dropout), None)
    unit = dropout or network.scale_dropout
    return unit.bits if unit else 0
