"""The netlist after synthesis says what golden says, and a wrong cell in it is noticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.folding import fold
from bbnn.model_file import load
from boards.netlist import models, write_netlist
from boards.parts import PARTS
from golden.network import logits
from hdl.generate import generate
from networks import random_images, random_network
from tb.build import build
from tb.compare import Comparison, compare
from tb.play import SimulationError
from tb.run import simulate
from tb.setup import Setup

FOLDER = Path(__file__).parents[1] / "build" / "tests"
NETWORK = random_network(sizes=(64, 32, 4), probability_bits=(1, 1), lanes=((2, 2), (2, 2)))
"""Its first weights fill half a block RAM."""
IMAGES = 6
LIMIT = 24
"""Pins that a cell of its netlist drives; so much that some are copied."""
SHIPPED = {"fashion-mlp": 66_560, "mnist-sfc": None}
"""Networks that ship and whose netlist is simulated: folded to so many cycles an image at most, or
as they are."""


@pytest.fixture(scope="module")
def netlist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("netlist")
    verilog = generate(NETWORK, folder / "design")
    return write_netlist(verilog, NETWORK.name, folder, limit=LIMIT)


def compared(
    netlist: Path, folder: Path, stalls: float = 0, network: Network = NETWORK, count: int = IMAGES
) -> Comparison:
    """Simulate the netlist and compare it with golden."""
    setup = Setup(members=network.ensemble.members, stalls=stalls)
    images = random_images(network, count)
    made = build(network.name, netlist, "verilator", FOLDER / "builds", level="-O0")
    outcome = simulate(made, network, images, setup, folder)
    return compare(outcome, logits(network, images, setup.members))


@pytest.mark.slow
def test_netlist_is_primitives(netlist: Path) -> None:
    text = netlist.read_text()
    design = text[text.index(f"module {NETWORK.name}(") :]
    cells = set(re.findall(r"^  (\w+) #?\(", design, re.MULTILINE))
    assert {"LUT6", "FDRE", "RAM32M", "RAMB18E1"} <= cells
    assert not re.search(r"\balways\b", design)
    assert netlist.with_name("netlist.json").read_text().count("$copy$") > 20


@pytest.mark.slow
def test_netlist_equals_golden(netlist: Path, tmp_path: Path) -> None:
    for stalls in (0, 40):
        found = compared(netlist, tmp_path / str(stalls), stalls=stalls)
        assert found.equal, found
        assert found.images == IMAGES
        assert found.members == IMAGES * NETWORK.ensemble.members


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "cycles"), SHIPPED.items())
def test_netlist_of_a_shipped_network_equals_golden(
    name: str, cycles: int | None, tmp_path: Path
) -> None:
    part = PARTS["xc7z020clg400-1"]
    network = load(Path(__file__).parents[1] / "models" / f"{name}.safetensors")
    if cycles is not None:
        network = fold(network, cycles, part.lut, part.bram36).network
    verilog = generate(network, tmp_path / "design")
    path = write_netlist(verilog, network.name, tmp_path)
    found = compared(path, tmp_path / "run", network=network, count=2)
    assert found.equal, found
    assert found.images == 2
    assert found.members == 2 * network.ensemble.members


@pytest.mark.slow
def test_wrong_netlist_differs(netlist: Path, tmp_path: Path) -> None:
    """A LUT that adds what lanes of the last layer say."""
    text = netlist.read_text()
    counted = r"\data_path.output.crossbar.lanes.held"
    function = re.compile(
        rf"(\.INIT\((\d+)'h)([0-9a-f]+)(?=\)\s+\) \S+ \(\s+\.I0\({re.escape(counted)})"
    )

    def inverted(found: re.Match[str]) -> str:
        return f"{found[1]}{~int(found[3], 16) & 2 ** int(found[2]) - 1:x}"

    broken = function.sub(inverted, text, count=1)
    assert broken != text
    path = tmp_path / "broken.v"
    path.write_text(broken)
    try:
        assert not compared(path, tmp_path).equal
    except SimulationError as error:
        print(error)


def test_cells_without_a_model_are_refused() -> None:
    assert len(models({"LUT6", "FDRE"})) == 2
    message = r"^cells must have a model that computes, not FIFO18E1, NONE$"
    with pytest.raises(InputError, match=message):
        models({"LUT6", "FIFO18E1", "NONE"})
