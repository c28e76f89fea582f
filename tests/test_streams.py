"""Layers whose codes are streamed: blocks, data path and core against golden, codes with stalls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Network, deterministic
from bbnn.errors import InputError
from bbnn.model_file import digest, load, save_network
from bbnn.schedule import member_cycles
from drawing import MAX, SUM, Block, build, drop
from golden.network import logits
from hdl.codes import code_beats
from hdl.generate import generate, verilog_text
from networks import random_images
from systems import residual_network
from tb.build import Simulator
from tb.setup import Setup
from tb.verify import Verdict, verify
from test_data_path import compare

OUTPUT = Block(columns=4, neuron="logits", lanes_in=3, lanes_out=2)


def dense_streams(**options: Any) -> Network:
    """Return dense layers: one behind pixels, one that all members' inputs pass, one for each."""
    blocks = (
        Block(columns=6, lanes_in=5, lanes_out=2, held=1),
        Block(columns=9, bits=2, row_bits=5, lanes_in=4, lanes_out=3, held=4),
        Block(columns=8, lanes_in=2, lanes_out=4, held=1),
        OUTPUT,
    )
    return build(21, blocks, **{"input_shape": (1, 13, 1), "members": 3, **options})


def held_streams(**options: Any) -> Network:
    """Return the first ensembling layer, and one behind it, passed by all members' inputs."""
    blocks = (
        Block(columns=6, bits=0, lanes_in=4, lanes_out=2, held=1),
        Block(columns=6, lanes_in=4, lanes_out=2, held=5),
        Block(columns=6, neuron="quantised", lanes_in=3, lanes_out=1, held=5, dropout=drop(1, 2)),
        Block(columns=6, neuron="quantised", bits=0, lanes_in=3, lanes_out=2, held=6),
        OUTPUT,
    )
    return build(22, blocks, **{"input_shape": (1, 10, 1), "members": 4, **options})


def conv_streams(**options: Any) -> Network:
    """Return convolutions: before members, in the first layer that has any, and behind it."""
    blocks = (
        Block(columns=4, kernel=2, bits=0, lanes_out=2, held=1),
        Block(columns=6, kernel=3, padding=1, lanes_in=2, lanes_out=2, held=1, pool=MAX),
        Block(columns=4, kernel=2, bits=2, row_bits=3, lanes_in=1, lanes_out=2, held=1),
        OUTPUT,
    )
    return build(23, blocks, **{"input_shape": (5, 5, 1), "members": 3, **options})


def level_streams(**options: Any) -> Network:
    """Return convolutions of levels, pooled by sums, with dropped maps, and a dense layer."""
    conv = Block(columns=4, neuron="quantised", kernel=3, padding=1, lanes_out=2, held=1)
    blocks = (
        replace(conv, pool=SUM),
        replace(conv, dropout=drop(1, 2), lanes_in=4),
        Block(columns=8, lanes_in=6, lanes_out=2, held=4),
        OUTPUT,
    )
    return build(24, blocks, **{"input_shape": (4, 4, 2), "members": 2, **options})


def small_streams(**options: Any) -> Network:
    """Return two convolutions, one of them before members, and a dense layer."""
    blocks = (
        Block(columns=2, kernel=2, bits=0, lanes_out=1, held=1),
        Block(columns=4, kernel=2, padding=1, lanes_in=1, lanes_out=2, held=1, pool=MAX),
        Block(columns=6, lanes_in=2, lanes_out=3, held=2),
        OUTPUT,
    )
    return build(25, blocks, **{"input_shape": (3, 3, 1), "members": 2, **options})


STREAMS = {
    "small": small_streams,
    "dense": dense_streams,
    "dense-stratified": lambda: dense_streams(stratified=True, members=4),
    "held": held_streams,
    "conv": conv_streams,
    "conv-never": lambda: conv_streams(reseed="never"),
    "levels": level_streams,
}


@pytest.mark.parametrize("case", ["small", "dense"])
def test_packets_equal_golden(case: str) -> None:
    compare(STREAMS[case](), stall=5, wanted=True, count=2)


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 9], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", STREAMS)
def test_packets_of_all_kinds_equal_golden(case: str, stall: int) -> None:
    compare(STREAMS[case](), stall, wanted=True)


def simulated(network: Network, setup: Setup, simulator: Simulator, folder: Path) -> Verdict:
    """Let the core run in the bench, which plays the codes that lie beside its Verilog."""
    verilog = generate(network, folder / "design")
    images = random_images(network, 3)
    return verify(network, verilog, images, setup, simulator, folder, processes=1, level="-O0")


@pytest.mark.parametrize("case", ["small", "dense"])
def test_core_equals_golden(case: str, tmp_path: Path) -> None:
    """In Icarus, stalled, and begun anew in the middle: the codes begin again with it."""
    network = STREAMS[case]()
    setup = Setup(members=2, stalls=30, restart_after=333)
    verdict = simulated(network, setup, "icarus", tmp_path)
    assert verdict.equal, verdict
    assert verdict.comparison is not None
    assert verdict.comparison.members == 6


@pytest.mark.slow
@pytest.mark.parametrize("case", STREAMS)
def test_core_of_all_kinds_equals_golden(case: str, tmp_path: Path) -> None:
    """In Verilator, with stalls and without."""
    network = STREAMS[case]()
    for stalls in (0, 40):
        setup = Setup(members=network.ensemble.members, stalls=stalls)
        verdict = simulated(network, setup, "verilator", tmp_path)
        assert verdict.equal, verdict


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_quarter_of_vgg_equals_golden(tmp_path: Path) -> None:
    """The shipped network with all codes but the logits' streamed, in Verilator; at full rate."""
    network = load(Path(__file__).parents[1] / "models" / "cifar-vgg.safetensors")
    network = replace(network, ensemble=replace(network.ensemble, members=2))
    for index, number in enumerate((1, 1, 1, 1, 1, 1, 2, 2)):
        network = held(network, index, number)
    verilog = generate(network, tmp_path / "design")
    images = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), np.uint8)
    verdict = verify(network, verilog, images, Setup(members=2), "verilator", tmp_path, processes=1)
    assert verdict.equal, verdict
    assert verdict.comparison is not None
    assert verdict.comparison.members == 4
    assert verdict.outcome is not None
    assert verdict.outcome.cycles_per_member == member_cycles(network, 2)


def test_bench_notices_wrong_codes(tmp_path: Path) -> None:
    """Codes that begin a column group too late are other weights, and packets differ."""
    network = small_streams()
    verilog = generate(network, tmp_path / "design")
    path = verilog.parent / "memory" / "dense_2_codes.hex"
    beats = path.read_text().split()
    layer = network.layers[2]
    assert beats == [f"{beat:016x}" for beat in code_beats(layer)]
    swapped = replace(layer, codes=np.roll(layer.codes, -3, axis=1))
    path.write_text("\n".join(f"{beat:016x}" for beat in code_beats(swapped)))
    images = random_images(network, 3)
    verdict = verify(network, verilog, images, Setup(members=2), "icarus", tmp_path, processes=1)
    assert verdict.comparison is not None
    assert not verdict.equal
    assert verdict.difference is not None
    assert verdict.difference.layer == "dense_2"


def test_results_do_not_depend_on_it() -> None:
    network = small_streams()
    layers = [replace(layer, folding=replace(layer.folding, held=0)) for layer in network.layers]
    resident = replace(network, layers=tuple(layers))
    images = random_images(network, 4)
    np.testing.assert_array_equal(logits(network, images), logits(resident, images))
    assert digest(network) != digest(resident)


def test_model_file_keeps_it(tmp_path: Path) -> None:
    network = small_streams()
    save_network(network, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert [layer.folding.held for layer in again.layers] == [1, 1, 2, 0]
    assert digest(again) == digest(network)
    assert deterministic(network).layers[2].folding.held == 1


def test_members_have_a_place() -> None:
    assert dense_streams().max_members == 4
    with pytest.raises(
        InputError, match=r"^ensemble\.members must be an integer in 1\.\.4, not 5$"
    ):
        dense_streams(members=5)


def held(network: Network, index: int, number: Any, **changes: Any) -> Network:
    """Return `network` with another number of inputs held in a layer, and the layer changed."""
    layers = list(network.layers)
    folding = replace(layers[index].folding, held=number)
    layers[index] = replace(layers[index], **{"folding": folding, **changes})
    return replace(network, layers=tuple(layers))


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "number": (
        lambda: held(dense_streams(), 0, -1),
        r"folding\.held \(dense_0\) must be an integer in 0\.\.65535, not -1",
    ),
    "convolution": (
        lambda: held(conv_streams(), 1, 2),
        r"folding\.held \(conv_1\) must be 0 or 1 of a convolution, not 2",
    ),
    "logits": (
        lambda: held(dense_streams(), 3, 1),
        r"folding\.held \(output\) must be 0 but for quantised neurons and those of one bank .*",
    ),
    "lanes": (
        lambda: build(1, (Block(columns=7, held=1), OUTPUT), input_shape=(1, 6, 1)),
        r"folding\.lanes_out \(dense_0\) must be a divisor of the 7 columns where codes are .* 2",
    ),
    "sampled": (
        lambda: build(1, (Block(columns=6, sampled=(0, 1), held=1), OUTPUT), input_shape=(1, 6, 1)),
        r"folding\.held \(dense_0\) must be 0 where zeros are skipped, or only some rows .* 1",
    ),
    "shortcut": (
        lambda: held(residual_network("quantised"), 3, 1),
        r"layers\[3\]\.folding\.held \(conv_3\) must be 0 in a network with shortcuts, not 1",
    ),
    "exit": (
        lambda: small_streams(early_exit=True),
        r"layers\[0\]\.folding\.held \(conv_0\) must be 0 in a network with early exit, not 1",
    ),
    "stream": (
        lambda: dense_streams(reseed="never"),
        r"layers\[1\]\.folding\.held \(dense_1\) must be at most 1 before .*, not 4",
    ),
    "before": (
        lambda: held(held_streams(), 0, 2),
        r"layers\[0\]\.folding\.held \(dense_0\) must be at most 1 before .*, not 2",
    ),
    "macro": (
        lambda: verilog_text(small_streams(), "macro"),
        r"layers\[0\]\.folding\.held \(conv_0\) must be 0 with macros, not 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_built_is_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(InputError, match=f"^{message}$"):
        make()
