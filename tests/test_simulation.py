"""The generated Verilog in the cocotb bench, under both simulators, against golden: every logit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Logits, Network, Threshold
from bbnn.interface import unpack
from bbnn.schedule import member_cycles
from golden.network import crossbar, logits, pixels
from golden.noise import member_weights
from hdl.generate import generate
from networks import random_images, random_network
from tb.build import Build, Simulator, build
from tb.compare import packets
from tb.play import SimulationError, beats, check_registers, play
from tb.run import simulate
from tb.setup import Setup
from tb.verify import Verdict, verify

FOLDER = Path(__file__).parents[1] / "build" / "tests"
"""Builds are found again here; each lies in a folder named after its content."""
IMAGES = 8


def sharp(network: Network, seed: int = 3) -> Network:
    """Return `network` with low thresholds and equal scales: sums hit thresholds, logits tie."""
    rng = np.random.default_rng(seed)
    layers = []
    for layer in network.layers:
        if isinstance(layer.neuron, Threshold):
            neuron = Threshold(thresholds=rng.integers(-2, 4, layer.columns))
        else:
            ones = np.ones(layer.columns, np.int64)
            neuron = Logits(scale=3 * ones, offset=-ones, fraction_bits=2)
        layers.append(replace(layer, neuron=neuron))
    return replace(network, layers=tuple(layers))


@cache
def network(name: str) -> Network:
    """Return one of the networks that are simulated; between them they use every feature."""
    if name == "coins":
        return sharp(random_network())
    if name == "stratified":
        # The first layer is not sampled: its output is replayed for every member.
        bits: dict[str, Any] = {"probability_bits": (0, 2, 1), "row_bits": (0, 3, 2)}
        return meeting(random_network(7, stratified=True, lfsr_width=64, **bits))
    assert name == "never"
    bits = {"probability_bits": (2, 1, 0), "row_bits": (2, 1, 0), "reseed": "never"}
    return sharp(random_network(5, sizes=(13, 8, 6, 3), lanes=((5, 4), (8, 2), (3, 3)), **bits))


def meeting(network: Network) -> Network:
    """Return `network` with what random numbers seldom meet: sums equal to thresholds, and ties.

    Column k of the first layer, which is not sampled, has the sum of the k-th of `images` as its
    threshold; classes 0 and 1 have one scale and the largest offset.
    """
    first, last = network.layers[0], network.layers[-1]
    sums = images(network, first.columns).reshape(first.columns, -1) @ (2 * first.codes - 1)
    assert isinstance(last.neuron, Logits)
    scale, offset = last.neuron.scale.copy(), last.neuron.offset.copy()
    scale[1], offset[:2] = scale[0], offset.max()
    met = replace(first, neuron=Threshold(thresholds=sums.diagonal()))
    tied = replace(last, neuron=replace(last.neuron, scale=scale, offset=offset))
    return replace(network, layers=(met, *network.layers[1:-1], tied))


def images(network: Network, count: int = IMAGES) -> np.ndarray[Any, Any]:
    """Return random images, every second one so dark that sums come close to low thresholds."""
    result = random_images(network, count)
    result[::2] %= 2
    return result


def design(network: Network, name: str) -> Path:
    """Return the Verilog of a network."""
    return generate(network, FOLDER / "designs" / name)


def built(name: str, simulator: Simulator) -> Build:
    """Return the bench around one of the networks."""
    verilog = design(network(name), name)
    return build(network(name).name, verilog, simulator, FOLDER / "builds", level="-O0")


def runs(network: Network) -> dict[str, Setup]:
    """Return the ways in which networks are simulated."""
    seed = 0xC0FFEE << network.lfsr_width - 32 | 1
    return {
        "one-member": Setup(members=1, stalls=20),
        "full-speed": Setup(members=5),
        "sums-only": Setup(members=4, member_logits=False, stalls=10, seed=4),
        "stalled": Setup(members=3, stalls=60, seed=5),
        "restarted": Setup(members=6, stalls=30, seed=6, restart_after=333),
        "seeded": Setup(members=2, seeds={"hidden_1": seed}),
    }


SIMULATIONS: dict[tuple[Simulator, str], tuple[str, ...]] = {
    ("icarus", "coins"): ("one-member", "full-speed", "sums-only", "restarted"),
    ("icarus", "stratified"): ("full-speed", "seeded", "restarted"),
    ("icarus", "never"): ("stalled", "restarted"),
    ("verilator", "stratified"): ("one-member", "full-speed", "stalled", "seeded"),
    ("verilator", "never"): ("full-speed", "restarted"),
}
"""What is run where; a further build with Verilator takes longest."""
QUICK = {("verilator", "stratified"), ("icarus", "never")}


def check(name: str, simulator: Simulator, setup: Setup, folder: Path) -> Verdict:
    """Simulate a network; all its packets must be compared and equal golden's."""
    verdict = verify(
        network(name),
        design(network(name), name),
        images(network(name)),
        setup,
        simulator,
        folder,
        builds=FOLDER / "builds",
        processes=1,
        level="-O0",
    )
    assert verdict.equal, verdict
    assert verdict.comparison is not None
    assert verdict.comparison.images == IMAGES
    assert verdict.comparison.members == IMAGES * setup.members * setup.member_logits
    return verdict


def marks(simulator: str, name: str) -> list[pytest.MarkDecorator]:
    """Return the marks of one of `SIMULATIONS`."""
    found = [pytest.mark.icarus] if simulator == "icarus" else []
    return found if (simulator, name) in QUICK else [*found, pytest.mark.slow]


@pytest.mark.parametrize(
    ("simulator", "name"), [pytest.param(*key, marks=marks(*key)) for key in SIMULATIONS]
)
def test_every_member_equals_golden(simulator: Simulator, name: str, tmp_path: Path) -> None:
    compared = expected = 0
    for label in SIMULATIONS[simulator, name]:
        setup = runs(network(name))[label]
        verdict = check(name, simulator, setup, tmp_path / label)
        assert verdict.comparison is not None
        compared += verdict.comparison.members
        expected += IMAGES * setup.members * setup.member_logits
    assert compared == expected > 0
    check_registers(built(name, simulator), network(name), tmp_path / "registers", stalls=30)
    print(f"members equal {compared}/{expected}")


def test_sharp_networks_meet_ties_and_thresholds() -> None:
    """Logits tie in first place and sums equal thresholds, or nothing would test these."""
    coins = network("coins")
    drawn = logits(coins, images(coins), 5)
    assert ((drawn == drawn.max(-1, keepdims=True)).sum(-1) > 1).any()
    first = coins.layers[0]
    assert isinstance(first.neuron, Threshold)
    drives = pixels(coins, images(coins))
    sums = [crossbar(first, drives, weights) for weights in member_weights(coins, 0, 1, 5)]
    assert (np.array(sums) == first.neuron.thresholds).sum() > 5


@pytest.mark.icarus
def test_cycles(tmp_path: Path) -> None:
    """Unstalled, a member takes the cycles that the schedule says, and CYCLES counts the work."""
    outcome = check("coins", "icarus", Setup(members=5), tmp_path).outcome
    assert outcome is not None
    assert outcome.cycles_per_member == member_cycles(network("coins"), 5)
    ((_, played),) = outcome.parts
    assert abs(played.found["CYCLES_LOW"] - outcome.cycles) <= 2


@pytest.mark.icarus
def test_processes_share_the_images(tmp_path: Path) -> None:
    """Two processes tell of the same images as one, numbered through; progress adds up."""
    coins, drawn = network("coins"), images(network("coins"), 7)
    told: list[int] = []
    outcome = simulate(
        built("coins", "icarus"),
        coins,
        drawn,
        Setup(members=2),
        tmp_path,
        processes=2,
        progress=told.append,
    )
    assert [first for first, _ in outcome.parts] == [0, 4]
    assert sum(told) == 7
    for name, expected in packets(logits(coins, drawn, 2), True).items():
        np.testing.assert_array_equal(outcome.fields[name], expected)


@pytest.mark.icarus
@pytest.mark.parametrize(("beat", "status"), [(0, 0b011), (1, 0b011), (None, 0b001)])
def test_framing(beat: int | None, status: int, tmp_path: Path) -> None:
    """TLAST inside an image is told in STATUS; its absence is not; neither changes a result."""
    coins, drawn = network("coins"), images(network("coins"), 3)
    records = beats(drawn)
    records[1, :, 0] = 0
    if beat is not None:
        records[1, beat, 0] = 1
    setup = Setup(members=2, status=status)
    played = play(built("coins", "icarus"), coins, records, setup, tmp_path)
    said = unpack(coins, played.words, 2, True)
    for name, expected in packets(logits(coins, drawn, 2), True).items():
        np.testing.assert_array_equal(said[name], expected)


@pytest.mark.icarus
def test_unexpected_framing_is_noticed(tmp_path: Path) -> None:
    coins = network("coins")
    records = beats(images(coins, 2))
    records[0, 0, 0] = 1
    with pytest.raises(SimulationError, match=r"^STATUS must read 0x1, not 0x3"):
        play(built("coins", "icarus"), coins, records, Setup(members=1), tmp_path)
