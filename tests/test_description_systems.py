"""What the description refuses of convolutions, pools, dropouts and spikes, and what it derives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import (
    Drive,
    Ensemble,
    Layer,
    Logits,
    Network,
    NoisePlane,
    Pool,
    Quantised,
    ScaleDropout,
    SpatialDropout,
    Spiking,
    Threshold,
    Window,
    deterministic,
    output_drive,
)
from bbnn.errors import InputError
from bbnn.model_file import load, save_network, to_bytes
from systems import (
    CASES,
    conv_network,
    quantised_network,
    scale_network,
    spatial_network,
    spiking_network,
)

CONV = conv_network().layers[0]
SPIKING = spiking_network().layers[0].neuron
assert isinstance(SPIKING, Spiking)
WINDOW: dict[str, Any] = {"height": 6, "width": 7, "channels": 2, "kernel": 3}


def told(build: Any, *arguments: Any, **changes: Any) -> str:
    """Return what `build` says of bad input."""
    with pytest.raises(InputError) as caught:
        build(*arguments, **changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 0}, "window.kernel must be an integer in 1..6, not 0"),
        ({"kernel": 7}, "window.kernel must be an integer in 1..6, not 7"),
        ({"kernel": 9, "padding": 1}, "window.kernel must be an integer in 1..8, not 9"),
        ({"padding": 3}, "window.padding must be an integer in 0..2, not 3"),
        ({"padding": -1}, "window.padding must be an integer in 0..254, not -1"),
        ({"stride": 0}, "window.stride must be an integer in 1..3, not 0"),
        ({"stride": 4}, "window.stride must be an integer in 1..3, not 4"),
        ({"channels": 0}, "window.channels must be an integer in 1..65535, not 0"),
        ({"mapping": "flat"}, 'window.mapping must be "tall" or "split", not \'flat\''),
    ],
)
def test_window_refuses(changes: dict[str, Any], message: str) -> None:
    assert told(Window, **{**WINDOW, **changes}) == message


@pytest.mark.parametrize(
    ("changes", "positions"),
    [
        ({}, (4, 5)),
        ({"padding": 1}, (6, 7)),
        ({"stride": 2}, (2, 3)),
        ({"stride": 3, "padding": 2}, (3, 3)),
        ({"kernel": 6}, (1, 2)),
        ({"kernel": 1}, (6, 7)),
    ],
)
def test_window_positions(changes: dict[str, Any], positions: tuple[int, int]) -> None:
    """As many as fit: the last begins at ``(count - 1) * stride``, and one more would not fit."""
    window = Window(**{**WINDOW, **changes})
    assert (window.out_height, window.out_width) == positions
    for count, length in zip(positions, (window.height, window.width), strict=True):
        padded = length + 2 * window.padding
        assert (count - 1) * window.stride + window.kernel <= padded
        assert count * window.stride + window.kernel > padded


@pytest.mark.parametrize(
    ("build", "values", "message"),
    [
        (Pool, {"kind": "mean", "size": 2}, 'pool.kind must be "max" or "sum", not \'mean\''),
        (Pool, {"kind": "max", "size": 1}, "pool.size must be an integer in 2..8, not 1"),
        (SpatialDropout, {"code": 1, "bits": 9}, "dropout.bits must be an integer in 1..8, not 9"),
        (SpatialDropout, {"code": 0, "bits": 3}, "dropout.code must be an integer in 1..7, not 0"),
        (SpatialDropout, {"code": 8, "bits": 3}, "dropout.code must be an integer in 1..7, not 8"),
        (
            ScaleDropout,
            {"code": 2, "bits": 1, "seed": 1},
            "scale_dropout.code must be an integer in 1..1, not 2",
        ),
        (
            Ensemble,
            {"members": 1, "resample": "image"},
            'ensemble.resample must be "member" or "step", not \'image\'',
        ),
    ],
)
def test_parts_refuse(build: Any, values: dict[str, Any], message: str) -> None:
    assert told(build, **values) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"codes": CONV.codes[:-1]},
            "codes must be of 18 rows, channels * kernel**2, not 17",
        ),
        (
            {"folding": replace(CONV.folding, lanes_in=6)},
            "folding.lanes_in must be a multiple of kernel**2 = 9, not 6",
        ),
        (
            {"folding": replace(CONV.folding, lanes_out=3)},
            "folding.lanes_out must be a divisor of the 4 columns, not 3",
        ),
        ({"pool": Pool(kind="max", size=7)}, "pool.size must be an integer in 2..6, not 7"),
        ({"pool": Pool(kind="sum", size=2)}, "pool.kind must be \"max\" for +-1, not 'sum'"),
        ({"window": None}, "pool must be None without a window, not Pool(kind='max', size=2)"),
        (
            {"neuron": Logits(scale=np.ones(4, int), offset=np.ones(4, int), fraction_bits=0)},
            "window must be None in the layer with logits, not Window(",
        ),
        (
            {"neuron": Quantised(scale=np.ones(4, int), offset=np.ones(4, int), shift=32, bits=1)},
            "shift must be an integer in 0..31, not 32",
        ),
        (
            {"neuron": Quantised(scale=np.ones(4, int), offset=np.ones(4, int), shift=0, bits=9)},
            "bits must be an integer in 1..8, not 9",
        ),
        (
            {"neuron": replace(SPIKING, thresholds=np.array([1, 1, 0, 1]))},
            "thresholds[2] must be in 1..2147483647, not 0",
        ),
        (
            {"neuron": replace(SPIKING, bias=np.zeros(3, int))},
            "bias must be of shape (4,), not (3,)",
        ),
        (
            {"neuron": replace(SPIKING, fraction_bits=17)},
            "fraction_bits must be an integer in 0..16, not 17",
        ),
        (
            {"neuron": Threshold(thresholds=np.zeros(4, int), dropped=np.full(4, 9999))},
            "dropped[0] must be in -4590..4591, not 9999",
        ),
    ],
)
def test_layer_refuses(changes: dict[str, Any], message: str) -> None:
    assert told(replace, CONV, **changes).startswith(message)


def with_layer(network: Network, index: int, **changes: Any) -> tuple[Layer, ...]:
    """Return the layers of `network`, one of them changed."""
    layers = list(network.layers)
    layers[index] = replace(layers[index], **changes)
    return tuple(layers)


def test_network_refuses_what_does_not_join() -> None:
    conv, spiking, spatial = conv_network(), spiking_network(), spatial_network()
    second = conv.layers[1]
    assert second.window is not None
    wide = replace(second.window, width=4)
    assert told(replace, conv, layers=with_layer(conv, 1, window=wide)) == (
        "layers[1].window must be (3, 3, 4), the maps of layers[0], not (3, 4, 4)"
    )
    two_bits = Drive(kind="unsigned", bits=2)
    assert told(replace, conv, layers=with_layer(conv, 1, drive=two_bits)) == (
        "layers[1].drive must be sign, like the maps of layers[0], not 'unsigned of 2 bits'"
    )
    dropout = spatial.layers[1].dropout
    layers = with_layer(spatial, 0, dropout=dropout, noise=NoisePlane(row_bits=0, seed=1))
    assert told(replace, spatial, layers=layers).startswith("layers[0].dropout must be None for")
    mixed = with_layer(spiking, 1, neuron=Threshold(thresholds=np.zeros(6, int)))
    assert told(replace, spiking, layers=mixed) == (
        "layers[1].neuron (conv_1) must be Spiking like all hidden neurons, not 'Threshold'"
    )


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        (conv_network, {"steps": 2}, "steps must be an integer in 1..1, not 2"),
        (spiking_network, {"steps": 256}, "steps must be an integer in 1..255, not 256"),
        (
            conv_network,
            {"encoding": "rate"},
            "encoding must be \"constant\" where no neuron spikes, not 'rate'",
        ),
        (spiking_network, {"encoding": "burst"}, 'encoding must be "constant" or "rate"'),
        (
            scale_network,
            {"scale_dropout": None},
            "scale_dropout must be set exactly if a layer has dropped thresholds, not None",
        ),
        (
            conv_network,
            {"scale_dropout": ScaleDropout(code=1, bits=1, seed=9)},
            "scale_dropout must be set exactly if a layer has dropped thresholds, not Scale",
        ),
        (
            conv_network,
            {"ensemble": Ensemble(members=1, resample="step")},
            "ensemble.resample must be \"member\" where no neuron spikes, not 'step'",
        ),
        (
            spatial_network,
            {"ensemble": Ensemble(members=1, stratified=True)},
            "ensemble.stratified must be false with dropout or with weights drawn in every step",
        ),
    ],
)
def test_network_refuses(network: Any, changes: dict[str, Any], message: str) -> None:
    assert told(replace, network(), **changes).startswith(message)


@pytest.mark.parametrize("case", CASES)
def test_deterministic_pass(case: str) -> None:
    """The likelier value of every weight, coins in a chessboard; nothing is dropped or drawn."""
    network = CASES[case]()
    plain = deterministic(network)
    assert plain.ensemble == Ensemble(members=1)
    assert (plain.scale_dropout, plain.figures) == (None, {})
    assert not any(layer.varies for layer in plain.layers)
    for layer, before in zip(plain.layers, network.layers, strict=True):
        assert (layer.probability_bits, layer.noise, layer.dropout) == (0, None, None)
        full = 2**before.probability_bits
        for (row, column), code in np.ndenumerate(before.codes):
            rounded = 1 if 2 * code > full else 0
            wanted = 1 - (row + column) % 2 if 2 * code == full else rounded
            assert layer.codes[row, column] == wanted
        if isinstance(before.neuron, Threshold):
            assert isinstance(layer.neuron, Threshold)
            assert layer.neuron.thresholds is before.neuron.thresholds
            assert layer.neuron.dropped is None
        else:
            assert layer.neuron is before.neuron
        # Signs that are never dropped have no zeros to skip.
        skips = before.folding.skip_zeros and layer.drive.kind == "unsigned"
        folding = replace(before.folding, skip_zeros=skips, reuse=False)
        assert (layer.window, layer.pool, layer.folding) == (before.window, before.pool, folding)


def test_one_seed_a_stream() -> None:
    network = scale_network()
    assert network.scale_dropout is not None
    first = conv_network().layers[0].noise
    assert first is not None
    layers = with_layer(network, 1, noise=None)
    assert all(layer.noise is None for layer in layers), "one unit draws for the whole model"
    zero = replace(network.scale_dropout, seed=0)
    assert told(replace, network, scale_dropout=zero).startswith(
        "scale_dropout.seed must be an integer in 1..4294967295, not 0"
    )


def test_what_a_layer_derives() -> None:
    spatial = spatial_network().layers
    # Nine rows share one decision, where element-wise dropout takes nine.
    assert spatial[1].rows == 9 * spatial[1].maps
    assert spatial[1].noise_bits == spatial[1].maps * 2
    assert not spatial[0].masked, "pixels carry 0 as a number"
    assert spatial[1].masked
    assert spatial[2].maps == spatial[2].rows
    quantised = quantised_network(pool=Pool(kind="sum", size=2)).layers
    # Four values of 0..3.
    assert output_drive(quantised[:1]) == Drive(kind="unsigned", bits=4)
    assert quantised[0].output_shape == (3, 3, 4)
    assert quantised[0].sum_shape == (6, 6, 4)
    assert quantised[0].positions == 36


def test_what_runs_once() -> None:
    assert scale_network().first_ensembling == 0
    assert spatial_network().first_ensembling == 1
    assert spiking_network().first_ensembling == 0
    assert CASES["conv-fixed-front"]().first_ensembling == 1
    assert CASES["conv-deterministic"]().first_ensembling == 2
    assert CASES["spiking-deterministic"]().first_ensembling == 0


@pytest.mark.parametrize("case", CASES)
def test_model_file_keeps_every_system(case: str, tmp_path: Any) -> None:
    network = CASES[case]()
    save_network(network, tmp_path / "model.safetensors")
    assert to_bytes(load(tmp_path / "model.safetensors")) == to_bytes(network)
