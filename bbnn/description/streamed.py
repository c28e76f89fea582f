"""Layers whose codes come from memory: what they, and the network around them, must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bbnn.description.neurons import Quantised, Threshold
from bbnn.errors import require, require_int

if TYPE_CHECKING:
    from bbnn.description.layer import Layer
    from bbnn.description.network import Network

MAX_HELD = 65535
"""As many as there can be members."""


def require_streamed(layer: Layer) -> None:
    """Raise `InputError` where the codes of `layer` cannot come from memory and are said to."""
    held, lanes_out = layer.folding.held, layer.folding.lanes_out
    where = f"folding.held ({layer.name})"
    require_int(where, held, 0, MAX_HELD)
    if not held:
        return
    one = layer.window is None or held == 1
    require(one, where, "0 or 1 of a convolution", held)
    whole = layer.sampled is None and not layer.folding.skip_zeros
    require(whole, where, "0 where zeros are skipped, or only some rows sampled", held)
    neuron = layer.neuron
    plain = isinstance(neuron, Threshold) and neuron.dropped is None
    plain = plain or isinstance(neuron, Quantised)
    kinds = "0 but for quantised neurons and those of one bank of thresholds"
    require(plain, where, kinds, held)
    divides = layer.columns % lanes_out == 0
    wanted = f"a divisor of the {layer.columns} columns where codes are streamed"
    require(divides, f"folding.lanes_out ({layer.name})", wanted, lanes_out)


def require_streams(network: Network) -> None:
    """Raise `InputError` where something in `network` does not bear that codes are streamed."""
    adds = any(layer.adds is not None for layer in network.layers)
    again = network.ensemble.reseed == "image"
    for index, layer in enumerate(network.layers):
        held = layer.folding.held
        where = f"layers[{index}].folding.held ({layer.name})"
        require(not (held and adds), where, "0 in a network with shortcuts", held)
        exits = network.ensemble.early_exit
        require(not (held and exits), where, "0 in a network with early exit", held)
        members = index >= network.first_ensembling and again
        wanted = "at most 1 before the first ensembling layer, or where streams run on"
        require(members or held <= 1, where, wanted, held)
