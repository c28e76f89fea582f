"""A description refuses every field out of range, in one exact line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import (
    LOGIT_LIMIT,
    MAX_MEMBERS,
    Drive,
    Ensemble,
    Folding,
    Layer,
    Logits,
    Network,
    NoisePlane,
    Threshold,
)
from bbnn.errors import InputError
from networks import random_network


def refused(message: str) -> Any:
    """Return a context in which exactly `message` must be raised as `InputError`."""
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


def hidden(**changes: Any) -> Layer:
    """Return a valid hidden layer, 6 x 4 with b = 2 and sign drives, but for `changes`."""
    fields: dict[str, Any] = {
        "name": "hidden",
        "drive": Drive(kind="sign"),
        "codes": np.arange(24).reshape(6, 4) % 5,
        "probability_bits": 2,
        "neuron": Threshold(thresholds=np.array([-6, 0, 3, 7])),
        "folding": Folding(lanes_in=4, lanes_out=3),
        "noise": NoisePlane(row_bits=2, seed=1),
    }
    return Layer(**(fields | changes))


def logits(**changes: Any) -> Logits:
    """Return a valid output neuron of four columns, but for `changes`."""
    fields: dict[str, Any] = {
        "scale": np.array([1, 2, 3, 65535]),
        "offset": np.array([-(2**31), 0, 1, 2**31 - 1]),
        "fraction_bits": 24,
    }
    return Logits(**(fields | changes))


CODE = np.zeros((6, 4), np.int64)
CODE[5, 1] = 5
NEGATIVE = np.zeros((6, 4), np.int8)
NEGATIVE[0, 2] = -1
FRACTIONS: Any = np.zeros(4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "2nd"}, "name must be a Verilog identifier, not '2nd'"),
        ({"name": "größe"}, "name must be a Verilog identifier, not 'größe'"),
        ({"name": 5}, "name must be a Verilog identifier, not 5"),
        ({"codes": CODE}, "codes[5, 1] must be in 0..4, not 5"),
        ({"codes": NEGATIVE}, "codes[0, 2] must be in 0..4, not -1"),
        ({"codes": CODE / 2}, "codes must be an integer array, not dtype('float64')"),
        ({"codes": [[0, 1]]}, "codes must be an integer array, not 'list'"),
        ({"codes": CODE[0]}, "codes must be of 2 dimensions, not 1"),
        ({"codes": CODE[:, :0]}, "codes must be a non-empty matrix, not (6, 0)"),
        ({"probability_bits": -1}, "probability_bits must be an integer in 0..8, not -1"),
        ({"probability_bits": 9}, "probability_bits must be an integer in 0..8, not 9"),
        ({"probability_bits": True}, "probability_bits must be an integer in 0..8, not True"),
        ({"noise": None}, "noise must be set where probability_bits > 0 or dropout is, not None"),
        (
            {"probability_bits": 0, "codes": CODE // 5},
            "noise must be None where nothing is random, not NoisePlane(row_bits=2, seed=1)",
        ),
        (
            {"noise": NoisePlane(row_bits=1, seed=1)},
            "noise.row_bits must be an integer in 2..64, not 1",
        ),
        (
            {"noise": NoisePlane(row_bits=65, seed=1)},
            "noise.row_bits must be an integer in 2..64, not 65",
        ),
        (
            {"folding": Folding(lanes_in=0, lanes_out=1)},
            "folding.lanes_in must be an integer in 1..6, not 0",
        ),
        (
            {"folding": Folding(lanes_in=7, lanes_out=1)},
            "folding.lanes_in must be an integer in 1..6, not 7",
        ),
        (
            {"folding": Folding(lanes_in=1, lanes_out=0)},
            "folding.lanes_out must be an integer in 1..4, not 0",
        ),
        (
            {"folding": Folding(lanes_in=1, lanes_out=5)},
            "folding.lanes_out must be an integer in 1..4, not 5",
        ),
        (
            {"neuron": Threshold(thresholds=np.array([0, 0, 8, 0]))},
            "thresholds[2] must be in -6..7, not 8",
        ),
        (
            {"neuron": Threshold(thresholds=np.array([0, -7, 0, 0]))},
            "thresholds[1] must be in -6..7, not -7",
        ),
        (
            {"neuron": Threshold(thresholds=np.zeros(5, np.int32))},
            "thresholds must be of shape (4,), not (5,)",
        ),
        (
            {"neuron": Threshold(thresholds=np.zeros((1, 4), np.int32))},
            "thresholds must be of 1 dimensions, not 2",
        ),
        (
            {"neuron": Threshold(thresholds=FRACTIONS)},
            "thresholds must be an integer array, not dtype('float64')",
        ),
        (
            {"neuron": logits(scale=np.array([0, -1, 0, 0]))},
            "scale[1] must be in 0..65535, not -1",
        ),
        (
            {"neuron": logits(scale=np.array([0, 0, 0, 65536]))},
            "scale[3] must be in 0..65535, not 65536",
        ),
        (
            {"neuron": logits(scale=np.ones(4))},
            "scale must be an integer array, not dtype('float64')",
        ),
        ({"neuron": logits(scale=np.array([1]))}, "scale must be of shape (4,), not (1,)"),
        (
            {"neuron": logits(offset=np.array([0, 0, 2**31, 0]))},
            "offset[2] must be in -2147483648..2147483647, not 2147483648",
        ),
        (
            {"neuron": logits(offset=np.array([-(2**31) - 1, 0, 0, 0]))},
            "offset[0] must be in -2147483648..2147483647, not -2147483649",
        ),
        ({"neuron": logits(offset=np.array([1]))}, "offset must be of shape (4,), not (1,)"),
        (
            {"neuron": logits(fraction_bits=25)},
            "fraction_bits must be an integer in 0..24, not 25",
        ),
        (
            {"neuron": logits(fraction_bits=-1)},
            "fraction_bits must be an integer in 0..24, not -1",
        ),
    ],
)
def test_layer_refuses(changes: dict[str, Any], message: str) -> None:
    with refused(message):
        hidden(**changes)


def test_layer_accepts_its_bounds() -> None:
    hidden(neuron=logits())
    hidden(neuron=logits(fraction_bits=0))
    full = np.full((6, 4), 256, np.uint16)
    layer = hidden(codes=full, probability_bits=8, noise=NoisePlane(row_bits=64, seed=1))
    assert layer.stochastic_weights == 0


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.uint64])
def test_counts_do_not_depend_on_the_type_of_the_codes(dtype: type[np.integer[Any]]) -> None:
    codes = np.array([[0, 1, 2], [3, 4, 4], [0, 0, 4]], dtype)
    layer = hidden(
        codes=codes,
        neuron=Threshold(thresholds=np.zeros(3, dtype)),
        folding=Folding(lanes_in=2, lanes_out=2),
        noise=NoisePlane(row_bits=5, seed=1),
    )
    assert (layer.rows, layer.columns, layer.row_groups, layer.column_groups) == (3, 3, 2, 2)
    assert layer.stochastic_weights == 3
    assert layer.noise_bits == 3 * 5 + 3 * 2
    assert layer.reach == 3


def test_plain_binary_layer_draws_nothing() -> None:
    layer = hidden(codes=CODE // 5, probability_bits=0, noise=None)
    assert layer.noise_bits == layer.stochastic_weights == 0


@pytest.mark.parametrize(
    ("kind", "bits", "message"),
    [
        ("ternary", 1, 'drive.kind must be "sign" or "unsigned", not \'ternary\''),
        ("sign", 2, "drive.bits must be an integer in 1..1, not 2"),
        ("unsigned", 0, "drive.bits must be an integer in 1..16, not 0"),
        ("unsigned", 17, "drive.bits must be an integer in 1..16, not 17"),
        ("unsigned", 1.5, "drive.bits must be an integer in 1..16, not 1.5"),
    ],
)
def test_drive_refuses(kind: Any, bits: Any, message: str) -> None:
    with refused(message):
        Drive(kind=kind, bits=bits)


def test_drive_maximum() -> None:
    assert Drive(kind="sign").maximum == 1
    assert Drive(kind="unsigned", bits=8).maximum == 255


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": 0}, "ensemble.members must be an integer in 1..65535, not 0"),
        (
            {"members": MAX_MEMBERS + 1},
            "ensemble.members must be an integer in 1..65535, not 65536",
        ),
        ({"members": 2.0}, "ensemble.members must be an integer in 1..65535, not 2.0"),
        ({"stratified": 1}, "ensemble.stratified must be true or false, not 1"),
        ({"reseed": "once"}, 'ensemble.reseed must be "image" or "never", not \'once\''),
    ],
)
def test_ensemble_refuses(changes: dict[str, Any], message: str) -> None:
    with refused(message):
        Ensemble(**{"members": 1, **changes})


NETWORK = random_network()
FIRST, SECOND, LAST = NETWORK.layers


def seeded(layer: Layer, seed: Any) -> Layer:
    return replace(layer, noise=NoisePlane(row_bits=1, seed=seed))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "name must be a Verilog identifier, not 'a b'"),
        ({"input_shape": (3, 4)}, "input_shape must be three sizes, not (3, 4)"),
        ({"input_shape": (0, 4, 3)}, "input_shape must be an integer in 1..65535, not 0"),
        (
            {"input_shape": (1, 1, 13)},
            "layers[0].rows must be 13, the pixels of input_shape, not 12",
        ),
        ({"lfsr_width": 33}, "lfsr_width must be one of [32, 64], not 33"),
        ({"lfsr_width": 32.0}, "lfsr_width must be one of [32, 64], not 32.0"),
        ({"lfsr_width": [32]}, "lfsr_width must be one of [32, 64], not [32]"),
        ({"layers": ()}, "layers must be at least one layer, not ()"),
        (
            {"layers": (FIRST, LAST)},
            "layers[1].rows must be 9, the columns of layers[0], not 7",
        ),
    ],
)
def test_network_refuses(changes: dict[str, Any], message: str) -> None:
    with refused(message):
        replace(NETWORK, **changes)


def test_network_refuses_names_that_differ_in_capitals_alone() -> None:
    names = "['hidden_0', 'Output', 'output']"
    with refused(f"layers must be named differently, capitals aside, not {names}"):
        replace(NETWORK, layers=(FIRST, replace(SECOND, name="Output"), LAST))


def test_network_refuses_kinds_of_layers_out_of_place() -> None:
    low = Threshold(thresholds=np.zeros(9, np.int64))
    wanted = "unsigned of 1 to 8 bits, like pixels"
    with refused(f"layers[0].drive must be {wanted}, not 'sign'"):
        replace(
            NETWORK,
            layers=(replace(FIRST, drive=Drive(kind="sign"), neuron=low), SECOND, LAST),
        )
    with refused(f"layers[0].drive must be {wanted}, not 'unsigned of 9 bits'"):
        nine = Drive(kind="unsigned", bits=9)
        replace(NETWORK, layers=(replace(FIRST, drive=nine, neuron=low), SECOND, LAST))
    source = "like the columns of layers[0]"
    with refused(f"layers[1].drive must be sign, {source}, not 'unsigned of 8 bits'"):
        byte = replace(SECOND, drive=Drive(kind="unsigned", bits=8))
        replace(NETWORK, layers=(FIRST, byte, LAST))
    kinds = "Logits in the last layer and no other"
    with refused(f"layers[1].neuron must be {kinds}, not 'Threshold'"):
        replace(NETWORK, layers=(FIRST, SECOND), classes=("a",) * 7)
    early = logits(scale=np.ones(7, int), offset=np.ones(7, int))
    with refused(f"layers[1].neuron must be {kinds}, not 'Logits'"):
        replace(NETWORK, layers=(FIRST, replace(SECOND, neuron=early), LAST))


@pytest.mark.parametrize(
    ("width", "seed", "highest"),
    [(32, 0, 2**32 - 1), (32, 2**32, 2**32 - 1), (64, 2**64, 2**64 - 1), (32, 1.0, 2**32 - 1)],
)
def test_network_refuses_seeds(width: int, seed: Any, highest: int) -> None:
    with refused(f"layers[2].noise.seed must be an integer in 1..{highest}, not {seed!r}"):
        replace(NETWORK, lfsr_width=width, layers=(FIRST, SECOND, seeded(LAST, seed)))
    replace(NETWORK, lfsr_width=width, layers=(FIRST, SECOND, seeded(LAST, highest)))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("a", "b", "c"), "classes must be 4 names, not ('a', 'b', 'c')"),
        (("a", "b", "c", 4), "classes[3] must be a printable name, not 4"),
        (("a", "b", "", "d"), "classes[2] must be a printable name, not ''"),
        (("a", "b\n", "c", "d"), r"classes[1] must be a printable name, not 'b\n'"),
    ],
)
def test_network_refuses_classes(classes: Any, message: str) -> None:
    with refused(message):
        replace(NETWORK, classes=classes)


def test_network_refuses_figures_that_are_no_object() -> None:
    with refused("figures must be a JSON object, not 5"):
        replace(NETWORK, figures=5)


def test_network_defaults() -> None:
    names = ("name", "input_shape", "layers", "ensemble", "classes")
    network = Network(**{name: getattr(NETWORK, name) for name in names})
    assert (network.lfsr_width, network.figures) == (32, {})


def with_logits(scale: int, offset: int) -> Network:
    """Return the network with all logits ``scale * y + offset``, where y is in -7..7."""
    neuron = Logits(scale=np.full(4, scale), offset=np.full(4, offset), fraction_bits=0)
    return replace(
        NETWORK, layers=(FIRST, SECOND, replace(LAST, neuron=neuron)), ensemble=Ensemble(members=1)
    )


@pytest.mark.parametrize(
    ("scale", "offset", "largest", "members"),
    [
        (0, 0, 0, MAX_MEMBERS),
        (10, -30, 100, MAX_MEMBERS),
        (10_000, 0, 70_000, 30_678),
        (0, 2**30, 2**30, 1),
        (0, LOGIT_LIMIT - 1, LOGIT_LIMIT - 1, 1),
        (65535, 2**30, 2**30 + 7 * 65535, 1),
    ],
)
def test_no_sum_of_logits_leaves_its_word(
    scale: int, offset: int, largest: int, members: int
) -> None:
    network = with_logits(scale, offset)
    assert network.max_logit == largest
    assert network.max_members == members
    assert network.max_members * network.max_logit < LOGIT_LIMIT
    most = replace(network, ensemble=Ensemble(members=members))
    if members < MAX_MEMBERS:
        assert (members + 1) * largest >= LOGIT_LIMIT
        wanted = f"an integer in 1..{members}"
        with refused(f"ensemble.members must be {wanted}, not {members + 1}"):
            replace(most, ensemble=Ensemble(members=members + 1))


def test_network_refuses_a_logit_that_no_word_holds() -> None:
    with refused("the largest logit must be at most 2147483647, not 2147483648"):
        with_logits(0, -LOGIT_LIMIT)


@pytest.mark.parametrize(
    ("bits", "first"), [((1, 1, 1), 0), ((0, 1, 0), 1), ((0, 0, 2), 2), ((0, 0, 0), 2)]
)
def test_layers_before_the_first_stochastic_one_run_once(bits: tuple[int, ...], first: int) -> None:
    assert random_network(probability_bits=bits).first_ensembling == first
