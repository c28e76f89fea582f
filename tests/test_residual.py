"""A layer's outputs added to those of a later one: what is refused, its blocks, its depth."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdl.data_path
from bbnn.convert import convert
from bbnn.description import Drive, Network
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from bbnn.schedule import shortcut_depth, stage_cycles
from blocks import Recording, groups, packed, play
from golden.network import trace
from hdl.generate import generate
from hdl.shortcut import Fork, Shortcut
from networks import random_images
from simtools import reader, writer
from systems import CASES, Block, build, dense_network, residual_front, residual_network
from tb.setup import Setup
from tb.verify import verify
from test_data_path import compare
from test_schedule import compare as compare_cycles

SPIKING = residual_network(steps=2)


def adding(network: Network, index: int, name: str | None) -> Network:
    """Return `network` with another source for layer `index`."""
    layers = list(network.layers)
    layers[index] = replace(layers[index], adds=name)
    return replace(network, layers=tuple(layers))


@pytest.mark.parametrize(
    ("network", "index", "name", "message"),
    [
        (SPIKING, 1, "conv_2", "the name of an earlier layer, not 'conv_2'"),
        (SPIKING, 1, "conv_1", "the name of an earlier layer, not 'conv_1'"),
        (SPIKING, 1, "nobody", "the name of an earlier layer, not 'nobody'"),
        (
            SPIKING,
            4,
            "conv_1",
            "a layer that puts out (1, 1, 5), like this one, not (3, 3, 4)",
        ),
        (SPIKING, 6, "dense_5", "of and for unsigned outputs, not 'Logits of output'"),
        (
            dense_network("threshold"),
            1,
            "dense_0",
            "of and for unsigned outputs, not 'Threshold of dense_1'",
        ),
        (
            residual_front(),
            2,
            "conv_1",
            "run as often as this one: from conv_2 on it is each member, not 'conv_1'",
        ),
    ],
)
def test_refused(network: Network, index: int, name: str, message: str) -> None:
    where = f"layers[{index}].adds ({network.layers[index].name})"
    with pytest.raises(InputError) as caught:
        adding(network, index, name)
    assert str(caught.value) == f"{where} must be {message}"


def test_a_name_is_a_name() -> None:
    with pytest.raises(InputError, match=r"^adds \(conv_1\) must be a Verilog identifier, not 3$"):
        adding(SPIKING, 1, 3)  # type: ignore[arg-type]


def test_the_next_drive_holds_the_largest_sum() -> None:
    """Spikes: 1 + 1 and what comes of that: 2, then 2 + 1 = 3 of two bits, then 1 + 1."""
    bits = [layer.drive.bits for layer in SPIKING.layers]
    assert bits == [8, 1, 2, 1, 2, 1, 2]
    wide = list(SPIKING.layers)
    wide[2] = replace(wide[2], drive=Drive(kind="unsigned", bits=1))
    with pytest.raises(InputError, match=r"^layers\[2\].drive must be unsigned of 2 bits, like"):
        replace(SPIKING, layers=tuple(wide))


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("residual")])
def test_model_file(name: str, tmp_path: Path) -> None:
    network, path = CASES[name](), tmp_path / "model.safetensors"
    save_network(network, path)
    adds = [layer.adds for layer in network.layers]
    assert any(adds)
    assert [layer.adds for layer in load(path).layers] == adds


def test_sums_are_sums() -> None:
    network = residual_front()
    *front, last, output = network.layers
    own = replace(output, drive=Drive(kind="unsigned", bits=last.largest.bit_length()))
    plain = replace(network, layers=(*front, replace(last, adds=None), own))
    image = random_images(network, 1)
    summed, alone = (trace(each, image, 0, 1, 3) for each in (network, plain))
    assert np.array_equal(summed[3], alone[3] + summed[2])
    assert summed[3].max() > last.largest


def test_conversion() -> None:
    """Levels become spikes, and their sums those of spikes; levels that differ are refused."""
    network = residual_network("quantised", input_shape=(4, 4, 2))
    spiking = convert(network, steps=3)
    assert [layer.adds for layer in spiking.layers] == [layer.adds for layer in network.layers]
    assert [layer.drive.bits for layer in spiking.layers] == [8, 1, 2, 1, 2, 1, 2]
    with pytest.raises(
        InputError, match=r"^layers\[3\].adds \(conv_3\) must be a layer whose spik"
    ):
        convert(residual_front(), steps=3)


def fork(ways: int, stall: int = 3) -> Recording:
    """Read each way at a pace of its own."""
    dut = Fork(4, ways)
    payloads = np.random.default_rng(2).integers(0, 16, 60 * (1 + (stall > 0))).tolist()
    readers = [reader(dut.o[n], payloads, stall and stall + 2 * n) for n in range(ways)]
    return play(dut, writer(dut.i, payloads, stall), *readers, watched=[*dut.o])


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("ways", [1, 2, 3])
def test_fork(ways: int, stall: int) -> None:
    recording = fork(ways, stall)
    assert stall or len(recording.rows) <= 60 + 2


def shortcut(early_chunk: int, late_chunk: int, channels: int, stall: int = 3) -> Recording:
    """Add vectors of 2 and 3 bits; what fills a last chunk is 0."""
    rng = np.random.default_rng(3)
    dut = Shortcut(
        early_bits=2,
        late_bits=3,
        bits=4,
        early_chunk=early_chunk,
        late_chunk=late_chunk,
        channels=channels,
        depth=2 * -(-channels // late_chunk),
    )
    early, late = rng.integers(0, 4, (30, channels)), rng.integers(0, 8, (30, channels))

    def chunks(vectors: Any, size: int, bits: int) -> list[int]:
        return [packed(part, bits) for vector in vectors for part in groups(vector, size, 0)]

    return play(
        dut,
        writer(dut.early, chunks(early, early_chunk, 2), stall),
        writer(dut.late, chunks(late, late_chunk, 3), 2 * stall),
        reader(dut.o, chunks(early + late, late_chunk, 4), stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("sizes", [(2, 2, 6), (4, 4, 10), (3, 2, 6), (1, 4, 9), (8, 1, 5)])
def test_shortcut(sizes: tuple[int, int, int], stall: int) -> None:
    shortcut(*sizes, stall)


DENSE = (
    Block(columns=8, neuron="quantised", lanes_in=8, lanes_out=8),
    Block(columns=8, neuron="quantised", lanes_in=1, lanes_out=4, adds=0),
    Block(columns=8, neuron="quantised", lanes_in=4, lanes_out=4),
    Block(columns=8, neuron="quantised", lanes_in=4, lanes_out=4, adds=1),
    Block(columns=3, neuron="logits", lanes_in=8, lanes_out=3),
)


def test_room_for_one_map_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dense layer needs its whole vector: with less room everything stands still."""
    network = build(4, DENSE, input_shape=(1, 8, 1))

    def of_maps(maps: float) -> Any:
        def depth(network: Network, index: int) -> int:
            whole = shortcut_depth(network, index) // (index - _source(network, index) + 1)
            return int(maps * whole) - 1

        return depth

    monkeypatch.setattr(hdl.data_path, "shortcut_depth", of_maps(1))
    compare(network, 0, True, count=2, cycles=600)
    monkeypatch.setattr(hdl.data_path, "shortcut_depth", of_maps(0.5))
    with pytest.raises(AssertionError, match="nothing ended within"):
        compare(network, 0, True, count=2, cycles=600)


def _source(network: Network, index: int) -> int:
    names = [layer.name for layer in network.layers]
    return names.index(str(network.layers[index].adds))


LEVEL = Block(columns=24, neuron="quantised", bits=0, lanes_in=24, lanes_out=24, levels=1)
RATES: dict[str, tuple[tuple[Block, ...], dict[str, Any]]] = {
    "dense_1 crossbar": (DENSE, {"input_shape": (1, 8, 1), "members": 4}),
    "dense_2 shortcut": (
        (
            Block(columns=24, neuron="quantised", lanes_in=8, lanes_out=24, levels=1),
            LEVEL,
            replace(LEVEL, lanes_in=8, adds=0),
            Block(columns=2, neuron="logits", bits=0, lanes_in=24, lanes_out=2),
        ),
        {"input_shape": (1, 8, 1), "members": 6},
    ),
}


@pytest.mark.parametrize(
    "case", ["dense_1 crossbar", pytest.param("dense_2 shortcut", marks=pytest.mark.slow)]
)
def test_shortcuts_hold_nothing_up(case: str) -> None:
    """Images come as often as the slowest stage says, be it the shortcut itself."""
    blocks, options = RATES[case]
    network = build(5, blocks, **options)
    stages = stage_cycles(network, network.ensemble.members)
    assert max(stages, key=stages.__getitem__) == case, stages
    compare_cycles(network, 6)


@pytest.mark.slow
@pytest.mark.icarus
def test_a_wrong_sum_is_located(tmp_path: Path) -> None:
    """The layer that adds is named where it subtracts; its own outputs would be right."""
    network = residual_front(input_shape=(3, 4, 1), members=2)
    images, setup = random_images(network, 3), Setup(members=2)
    right = generate(network, tmp_path)
    text = right.read_text()
    module = re.search(r"^module \S*conv_3\$sum ?\(", text, re.MULTILINE)
    assert module
    before, after = text[: module.start()], text[module.start() :]
    wrong = tmp_path / "wrong.v"
    wrong.write_text(before + re.sub(r"(= \S+ ) ?\+ ", r"\1- ", after, count=1))
    for verilog, layer in ((right, None), (wrong, "conv_3")):
        found = verify(network, verilog, images, setup, "icarus", tmp_path, builds=tmp_path)
        assert found.equal == (layer is None)
        assert (found.difference and found.difference.layer) == layer


BLOCKS = {
    "fork": (lambda: [fork(2, stall) for stall in (3, 0)], r"given <= ", "given <= ~"),
    "shortcut": (lambda: [shortcut(3, 2, 6)], r" \+ ", " - "),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
