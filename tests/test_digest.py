"""The digest of a network tells whether two builds of hardware are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bbnn.description import Layer, Logits, Network, NoisePlane
from bbnn.model_file import digest
from networks import random_network

NETWORK = replace(
    random_network(probability_bits=(0, 8, 1), row_bits=(0, 64, 1), stratified=True),
    figures={"test": {"accuracy": 0.5}},
)


def edited(layer: Layer, array: str) -> Layer:
    """Return `layer` with the first element of one of its arrays moved by one within its range."""
    if array == "codes":
        codes = layer.codes.copy()
        codes[0, 0] = (codes[0, 0] + 1) % (2**layer.probability_bits + 1)
        return replace(layer, codes=codes)
    values = getattr(layer.neuron, array).copy()
    values[0] += 1
    return replace(layer, neuron=replace(layer.neuron, **{array: values}))


def test_digest_ignores_figures_and_nothing_else() -> None:
    layers = NETWORK.layers
    first, _, last = layers
    assert isinstance(last.neuron, Logits)
    assert digest(replace(NETWORK, figures={})) == digest(NETWORK)
    others = [
        replace(NETWORK, layers=(edited(first, "codes"), *layers[1:])),
        replace(NETWORK, layers=(edited(first, "thresholds"), *layers[1:])),
        replace(NETWORK, layers=(*layers[:2], edited(last, "scale"))),
        replace(NETWORK, layers=(*layers[:2], edited(last, "offset"))),
        replace(
            NETWORK,
            layers=(*layers[:2], replace(last, neuron=replace(last.neuron, fraction_bits=3))),
        ),
        replace(
            NETWORK,
            layers=(replace(first, folding=replace(first.folding, lanes_in=1)), *layers[1:]),
        ),
        replace(NETWORK, lfsr_width=64),
        replace(NETWORK, ensemble=replace(NETWORK.ensemble, members=4)),
        replace(NETWORK, name="other"),
    ]
    digests = {digest(network) for network in [NETWORK, *others]}
    assert len(digests) == len(others) + 1


def zeros(*sizes: int) -> Network:
    """Return a network with all-zero arrays, and nothing else that tells its sizes."""
    network = random_network(sizes=sizes, lanes=((1, 1),) * 3)
    layers = []
    for seed, layer in enumerate(network.layers, 1):
        arrays = {
            name: np.zeros(layer.columns, np.int64)
            for name in ("thresholds", "scale", "offset")
            if hasattr(layer.neuron, name)
        }
        blank = np.zeros_like(layer.codes)
        noise = NoisePlane(row_bits=1, seed=seed)
        neuron = replace(layer.neuron, **arrays)
        layers.append(replace(layer, codes=blank, neuron=neuron, noise=noise))
    return replace(network, layers=tuple(layers))


def test_digest_tells_shapes() -> None:
    """Both networks have as many zeros in all: 12a + a + ab + b + 4b + 8 of them."""
    assert digest(zeros(12, 1, 8, 4)) != digest(zeros(12, 2, 5, 4))


def test_digest_does_not_depend_on_the_types_of_the_arrays() -> None:
    layers = [replace(layer, codes=layer.codes.astype(np.uint16)) for layer in NETWORK.layers]
    assert digest(replace(NETWORK, layers=tuple(layers))) == digest(NETWORK)
