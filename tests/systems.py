"""Small random networks of all five systems, for golden and hardware alike; drawn from a seed.

`CASES` names one network for every combination that a test should see. Thresholds, scales and
firing thresholds lie within the bulk of the sums, so that every outcome is common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bbnn.description import Layer, Network, Pool
from drawing import MAX, SUM, Block, Kind, build, drop


def conv_network(seed: int = 1, **options: Any) -> Network:
    """Return binary convolutions, padded and with stride 2, an OR pool and a dense output."""
    blocks = (
        Block(columns=4, kernel=3, padding=1, pool=MAX),
        Block(columns=6, kernel=3, stride=2, padding=1, lanes_in=1, lanes_out=3),
        Block(columns=4, neuron="logits", lanes_in=5, lanes_out=3),
    )
    return build(seed, blocks, **options)


def spatial_network(seed: int = 2, **options: Any) -> Network:
    """Return a network that drops input maps, which of a dense layer are single rows."""
    blocks = (
        Block(columns=4, kernel=3, bits=0),
        Block(columns=6, kernel=3, padding=1, pool=MAX, bits=0, dropout=drop(1, 2)),
        Block(columns=5, bits=0, dropout=drop(3, 3), lanes_in=4),
        Block(columns=4, neuron="logits", bits=0, dropout=drop(1, 1)),
    )
    return build(seed, blocks, **options)


def scale_network(seed: int = 3, **options: Any) -> Network:
    """Return a network whose members choose between two banks of thresholds in three layers."""
    blocks = (
        Block(columns=4, neuron="scaled", kernel=3, padding=1, pool=MAX, bits=0),
        Block(columns=6, kernel=3, bits=0),
        Block(columns=8, neuron="scaled", bits=0, lanes_in=3),
        Block(columns=6, neuron="scaled", bits=0),
        Block(columns=4, neuron="logits", bits=0),
    )
    return build(seed, blocks, **options)


def quantised_network(seed: int = 4, *, pool: Pool | None = MAX, **options: Any) -> Network:
    """Return multi-bit activations, two, three and four bits wide."""
    blocks = (
        Block(columns=4, neuron="quantised", kernel=3, padding=1, pool=pool, levels=2),
        Block(columns=6, neuron="quantised", kernel=3, padding=1, stride=2, levels=3, lanes_out=1),
        Block(columns=5, neuron="quantised", levels=4, bits=2, lanes_in=3),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **options)


def spiking_network(
    seed: int = 5, *, steps: int = 3, pool: Pool | None = MAX, **options: Any
) -> Network:
    """Return integrate-and-fire neurons in two convolutions and a dense layer."""
    blocks = (
        Block(columns=4, neuron="spiking", kernel=3, padding=1, pool=pool),
        Block(columns=6, neuron="spiking", kernel=3, padding=1, stride=2, lanes_out=3),
        Block(columns=5, neuron="spiking", lanes_in=4),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, steps=steps, **options)


def dense_network(kind: Kind, seed: int = 6, *, levels: int = 2, **options: Any) -> Network:
    """Return fully connected layers only, with neurons of one kind."""
    hidden = partial(Block, neuron=kind, levels=levels)
    blocks = (hidden(columns=9), hidden(columns=7, lanes_in=3), Block(columns=4, neuron="logits"))
    return build(seed, blocks, **{"input_shape": (1, 12, 1), **options})


def mixed_network(seed: int = 7, **options: Any) -> Network:
    """Return multi-bit and binary layers in turn, weights fixed and random, dropout on top."""
    blocks = (
        Block(columns=4, neuron="quantised", kernel=2, stride=2, bits=0),
        Block(columns=3, neuron="scaled", kernel=2, padding=1, bits=2, dropout=drop(1, 1)),
        Block(columns=6, neuron="quantised", kernel=1, bits=0, levels=3, dropout=drop(2, 3)),
        Block(columns=5, neuron="scaled", bits=1, row_bits=4),
        Block(columns=4, neuron="logits", bits=4, row_bits=5, dropout=drop(200, 8)),
    )
    defaults: dict[str, Any] = {"input_shape": (7, 5, 3), "scale_dropout": (1, 1)}
    return build(seed, blocks, **{**defaults, **options})


def window_network(
    kernel: int, stride: int, padding: int, seed: int = 8, kind: Kind = "threshold", **options: Any
) -> Network:
    """Return two convolutions with the same window, so that pixels and signs both meet it."""
    window = partial(Block, neuron=kind, kernel=kernel, stride=stride, padding=padding)
    blocks = (window(columns=4), window(columns=2), Block(columns=3, neuron="logits"))
    return build(seed, blocks, **{"input_shape": (9, 8, 2), **options})


def lanes_network(lanes_in: int, lanes_out: int, seed: int = 9, **options: Any) -> Network:
    """Return three maps of signs, padded, read by lanes that need not divide them."""
    folded = partial(Block, lanes_in=lanes_in, lanes_out=lanes_out)
    blocks = (
        folded(columns=3, kernel=3, padding=1),
        folded(columns=6, kernel=3, padding=1, pool=MAX),
        folded(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **{"input_shape": (5, 5, 3), **options})


def _stochastic_dropout(**options: Any) -> Network:
    blocks = (
        Block(columns=4, kernel=3, bits=1, row_bits=3),
        Block(columns=6, kernel=3, bits=2, dropout=drop(1, 2)),
        Block(columns=4, neuron="logits", bits=1, dropout=drop(1, 3)),
    )
    return build(10, blocks, **options)


def _spiking_dropout(**options: Any) -> Network:
    blocks = (
        Block(columns=4, neuron="spiking", kernel=3, padding=1, pool=SUM),
        Block(columns=6, neuron="spiking", kernel=3, bits=2, dropout=drop(1, 2), fraction_bits=0),
        Block(columns=4, neuron="logits", dropout=drop(1, 1)),
    )
    return build(11, blocks, steps=3, **options)


def residual_network(kind: Kind = "spiking", seed: int = 12, **options: Any) -> Network:
    """Return shortcuts past one layer and past two, one of which adds what was added already.

    Chunks differ where lanes do.
    """
    unit = partial(Block, neuron=kind, kernel=3, padding=1, columns=4)
    blocks = (
        unit(columns=4, pool=MAX if kind == "spiking" else None),
        unit(lanes_out=4, adds=0),
        unit(bits=2, lanes_out=1),
        unit(lanes_in=1, adds=1),
        Block(columns=5, neuron=kind, lanes_in=7, lanes_out=3),
        Block(columns=5, neuron=kind, lanes_in=3, adds=4),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **{"input_shape": (6, 6, 2), **options})


def residual_front(seed: int = 13, **options: Any) -> Network:
    """Return a shortcut of levels before the first ensembling layer, and one of sums behind it."""
    unit = partial(Block, neuron="quantised", kernel=3, padding=1, columns=3, lanes_out=3)
    blocks = (
        unit(bits=0),
        unit(bits=0, lanes_out=1, adds=0),
        unit(levels=3),
        unit(pool=None, adds=2, dropout=drop(1, 2)),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **{"input_shape": (4, 5, 2), **options})


def split_network(seed: int = 14, *, reuse: bool = True, **options: Any) -> Network:
    """Return sampled rows between others behind a map, whose sums are reused; the first of others.

    In the last layer row groups do not end where sampled rows do.
    """
    blocks = (
        Block(columns=4, kernel=3, bits=0, lanes_in=1, lanes_out=2, pool=MAX),
        Block(
            columns=7,
            bits=2,
            row_bits=3,
            sampled=(1, 2, 9, 14),
            reuse=reuse,
            lanes_in=3,
            lanes_out=3,
        ),
        Block(columns=5, sampled=(2, 5, 6), lanes_in=2, lanes_out=4),
        Block(columns=4, neuron="logits", bits=3, row_bits=5, sampled=(0, 1, 2)),
    )
    return build(seed, blocks, **{"input_shape": (6, 6, 2), **options})


def split_pixels(seed: int = 15, **options: Any) -> Network:
    """Return sums of pixels that are reused, and levels whose sampled rows are sorted."""
    blocks = (
        Block(columns=6, neuron="quantised", sampled=(3, 4, 11), reuse=True, lanes_in=4),
        Block(columns=5, neuron="quantised", bits=2, sampled=(1, 4), lanes_in=2, levels=3),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **{"input_shape": (1, 13, 1), **options})


def split_maps(seed: int = 16, **options: Any) -> Network:
    """Return convolutions of which the first maps are sampled, of signs and of levels."""
    conv = partial(Block, kernel=3, padding=1, lanes_in=2)
    blocks = (
        conv(columns=5, sampled=(0,), lanes_in=1),
        conv(columns=4, neuron="quantised", bits=2, sampled=(0, 1, 2)),
        conv(columns=3, neuron="quantised", sampled=(0, 1), pool=MAX, dropout=drop(1, 2)),
        Block(columns=4, neuron="logits", bits=0),
    )
    return build(seed, blocks, **{"input_shape": (5, 4, 2), **options})


def split_spiking(seed: int = 17, **options: Any) -> Network:
    """Return a spiking network whose currents of certain rows are summed once."""
    blocks = (
        Block(columns=6, neuron="spiking", sampled=(0, 1, 2), reuse=True, lanes_in=2),
        Block(columns=5, neuron="spiking", sampled=(2, 5), bits=2),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks, **{"input_shape": (1, 9, 1), "steps": 3, **options})


def unsplit(network: Network) -> Network:
    """Return `network` with the same codes, all rows of which are sampled."""
    return replace(network, layers=tuple(layer.all_sampled() for layer in network.layers))


def fixed(layer: Layer) -> Layer:
    """Return `layer` with the likelier sign of every weight, in turn where neither is."""
    full = 2**layer.probability_bits
    even = np.indices(layer.codes.shape).sum(axis=0) % 2
    codes = np.where(2 * layer.codes == full, even, 2 * layer.codes > full).astype(np.int64)
    layer = layer.all_sampled()
    return replace(layer, codes=codes, probability_bits=0, noise=None, dropout=None)


def fixed_network(network: Network, layers: int | None = None) -> Network:
    """Return `network` with the weights of the first `layers`, or of all, fixed, none dropped."""
    changed = tuple(fixed(layer) for layer in network.layers[:layers])
    return replace(network, layers=changed + network.layers[len(changed) :])


def skipping(network: Network, skips: bool = True) -> Network:
    """Return `network` with zeros skipped, or not, wherever that has a meaning."""
    layers = [
        replace(layer, folding=replace(layer.folding, skip_zeros=skips))
        if layer.drive.kind == "unsigned" or layer.dropout
        else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


CASES: dict[str, Callable[[], Network]] = {
    "dense-threshold": partial(dense_network, "threshold"),
    "dense-scaled": partial(dense_network, "scaled"),
    "dense-quantised": partial(dense_network, "quantised"),
    "dense-quantised-8-bits": partial(dense_network, "quantised", levels=8),
    "dense-spiking": partial(dense_network, "spiking", steps=3),
    "dense-1-bit": partial(dense_network, "threshold", pixel_bits=1),
    "conv": conv_network,
    "conv-3-bits": partial(conv_network, pixel_bits=3),
    "conv-never": partial(conv_network, reseed="never"),
    "conv-stratified": partial(conv_network, stratified=True, members=4),
    "conv-64": partial(conv_network, lfsr_width=64),
    "conv-fixed-front": lambda: fixed_network(conv_network(), 1),
    "conv-deterministic": lambda: fixed_network(conv_network()),
    "spatial": spatial_network,
    "spatial-never": partial(spatial_network, reseed="never"),
    "spatial-bernoulli": _stochastic_dropout,
    "scale": scale_network,
    "scale-never": partial(scale_network, reseed="never"),
    "scale-stratified": partial(scale_network, stratified=True, members=4),
    "quantised": quantised_network,
    "quantised-sum": partial(quantised_network, pool=SUM),
    "quantised-no-pool": partial(quantised_network, pool=None),
    "quantised-never": partial(quantised_network, reseed="never"),
    "spiking": spiking_network,
    "spiking-4-bits": partial(spiking_network, pixel_bits=4),
    "spiking-sum": partial(spiking_network, pool=SUM),
    "spiking-step": partial(spiking_network, resample="step"),
    "spiking-step-never": partial(spiking_network, resample="step", reseed="never"),
    "spiking-rate": partial(spiking_network, encoding="rate", steps=4),
    "spiking-rate-step": partial(spiking_network, encoding="rate", resample="step"),
    "spiking-never": partial(spiking_network, reseed="never"),
    "spiking-stratified": partial(spiking_network, stratified=True, members=4),
    "spiking-one-step": partial(spiking_network, steps=1),
    "spiking-deterministic": lambda: fixed_network(spiking_network()),
    "spiking-dropout": _spiking_dropout,
    "spiking-dropout-step": partial(_spiking_dropout, resample="step"),
    "mixed": mixed_network,
    "mixed-never": partial(mixed_network, reseed="never"),
    "window-1": partial(window_network, 1, 1, 0),
    "window-2": partial(window_network, 2, 1, 1),
    "window-2-stride-2": partial(window_network, 2, 2, 0),
    "window-3-stride-2": partial(window_network, 3, 2, 0),
    "window-3-stride-3": partial(window_network, 3, 3, 2),
    "window-5": partial(window_network, 5, 2, 2),
    "window-unsigned": partial(window_network, 3, 2, 1, kind="quantised"),
    "lanes-1-1": partial(lanes_network, 1, 1),
    "lanes-2-2": partial(lanes_network, 2, 2),
    "lanes-all": partial(lanes_network, 99, 99),
    "residual-spiking": partial(residual_network, steps=3),
    "residual-spiking-rate-step": partial(
        residual_network, steps=3, encoding="rate", resample="step"
    ),
    "residual-levels": partial(residual_network, "quantised", input_shape=(3, 4, 2)),
    "residual-front": residual_front,
    "residual-never": partial(residual_front, reseed="never"),
    "residual-skipping": lambda: skipping(residual_network(steps=2)),
    "skipping-conv": lambda: skipping(conv_network()),
    "skipping-spatial": lambda: skipping(spatial_network()),
    "skipping-quantised": lambda: skipping(quantised_network()),
    "skipping-spiking": lambda: skipping(spiking_network()),
    "skipping-spiking-rate": lambda: skipping(spiking_network(encoding="rate", steps=4)),
    "skipping-dropout-step": lambda: skipping(_spiking_dropout(resample="step")),
    "skipping-dense": lambda: skipping(dense_network("spiking", steps=3, encoding="rate")),
    "skipping-mixed": lambda: skipping(mixed_network()),
    "skipping-lanes": lambda: skipping(lanes_network(2, 2)),
    "split": split_network,
    "split-never": partial(split_network, reseed="never", reuse=False),
    "split-stratified": partial(split_network, stratified=True, members=5),
    "split-pixels": split_pixels,
    "split-maps": split_maps,
    "split-spiking": split_spiking,
    "split-spiking-step": partial(split_spiking, resample="step", reseed="never"),
}
"""A factory for each network; call it to draw it."""
