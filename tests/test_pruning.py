"""Pixels without word lines: the sift, golden, the hardware, the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn import data
from bbnn.cli import prune as prune_command
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import digest, load, save_network, to_bytes
from bbnn.pruning import never_lit, prune
from bbnn.schedule import sift_cycles
from blocks import Recording, groups, packed, play
from golden.network import logits
from hdl.data_path import DataPath
from hdl.generate import generate
from hdl.sift import Sift
from networks import random_images, random_network
from simtools import reader, writer
from tb.build import Simulator
from tb.setup import Setup
from tb.verify import verify

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "tests"
MODEL = ROOT / "models" / "mnist-mlp.safetensors"
SIFTS = {
    "some": (4, 13, (0, 3, 4, 5, 9, 12)),
    "whole-chunks": (4, 12, (0, 1, 2, 3, 8, 9, 10, 11)),
    "all": (4, 8, tuple(range(8))),
    "one-at-the-end": (4, 11, (10,)),
    "one-at-the-start": (4, 11, (0,)),
    "rest": (4, 12, (1, 2, 3, 8, 10, 11)),
    "two-lanes": (2, 9, (1, 2, 3, 7)),
    "one-chunk": (4, 3, (0, 2)),
}


def sifted(case: str, stall: int) -> Recording:
    """Send vectors; what is not kept is arbitrary and must not come out."""
    chunk, length, kept = SIFTS[case]
    dut = Sift(element_bits=5, chunk=chunk, length=length, kept=kept)
    rng = np.random.default_rng(8)
    chunks, words = [], []
    for _ in range(40):
        vector = rng.integers(0, 32, -(-length // chunk) * chunk)
        chunks += groups(vector, chunk, 0)
        words += groups(vector[list(kept)], chunk, 0)
    return play(
        dut,
        writer(dut.i, [packed(elements, 5) for elements in chunks], stall),
        reader(dut.o, [packed(elements, 5) for elements in words], stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


BLOCKS = {
    "sift": (
        lambda: [sifted("some", stall) for stall in (3, 0)],
        r"full = (.+) >= ",
        r"full = \1 > ",
    ),
}
"""For the replay of its Verilog, as in `test_hdl_verilog.BLOCKS`."""


@pytest.mark.parametrize("stall", [0, 3], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", SIFTS)
def test_sift(case: str, stall: int) -> None:
    sifted(case, stall)


@pytest.mark.parametrize("case", SIFTS)
def test_sift_takes_the_stated_cycles(case: str) -> None:
    """Vectors follow each other without a gap, but for a rest."""
    chunk, length, kept = SIFTS[case]
    beats = -(-length // chunk)
    last = sum(place >= (beats - 1) * chunk for place in kept)
    rest = (len(kept) - last) % chunk + last > chunk
    found = sifted(case, 0)
    ready = list(found.outputs).index("i__ready")
    taken = [n for n, (_, outputs) in enumerate(found.rows) if outputs[ready]][: 40 * beats]
    assert taken[-1] - taken[0] == 40 * beats - 1 + 39 * rest
    if chunk == 4:
        cut = replace(pruned(), input_shape=(1, length, 1), input_rows=kept, layers=layers(kept))
        assert sift_cycles(cut) == beats + rest


def plain(b: int = 0, lanes: int = 4) -> Network:
    """Return a network of 26 pixels whose first layer has b probability bits."""
    return random_network(
        sizes=(26, 8, 5, 3), probability_bits=(b, 1, 1), lanes=((lanes, 3), (4, 3), (2, 2))
    )


def pruned(b: int = 0) -> Network:
    """Return it without seven pixels that are never lit; one more is, but has no group."""
    dark = np.zeros(26, np.bool_)
    dark[[0, 1, 2, 5, 11, 17, 24, 25]] = True
    return prune(plain(b), dark)


def layers(kept: tuple[int, ...]) -> tuple[Any, ...]:
    """Return layers of which the first has a row for each of `kept`."""
    others = random_network(sizes=(len(kept), 8, 5, 3), probability_bits=(0, 1, 1))
    return others.layers


def test_whole_groups_are_left_out() -> None:
    """Of 26 rows in groups of 4, 18 are lit: 20 stay, and 2 of the dark ones nearest the middle."""
    found = pruned()
    assert found.layers[0].rows == 20
    assert found.layers[0].row_groups == plain().layers[0].row_groups - 2
    assert set(range(26)) - set(found.input_rows or ()) == {0, 1, 2, 5, 24, 25}
    np.testing.assert_array_equal(
        found.layers[0].codes, plain().layers[0].codes[list(found.input_rows or ())]
    )


def test_golden_is_equal_where_the_pixels_are_dark() -> None:
    """And on every image what the whole network says of it with these pixels dark."""
    images = random_images(plain(), 40)
    darkened = images.copy()
    left_out = sorted(set(range(26)) - set(pruned().input_rows or ()))
    darkened[:, :, left_out] = 0
    expected = logits(plain(), darkened)
    np.testing.assert_array_equal(logits(pruned(), darkened), expected)
    np.testing.assert_array_equal(logits(pruned(), images), expected)
    assert (logits(plain(), images) != expected).any()


def test_file_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "pruned.safetensors"
    save_network(pruned(), path)
    again = load(path)
    assert again.input_rows == pruned().input_rows
    assert to_bytes(again) == path.read_bytes()
    assert digest(again) != digest(plain())
    other = replace(pruned(), input_rows=tuple(range(20)))
    assert digest(again) != digest(other)
    assert b"input_rows" not in to_bytes(plain())


CASES = [
    pytest.param("icarus", 0, marks=pytest.mark.icarus),
    pytest.param("icarus", 2, marks=pytest.mark.icarus),
    pytest.param("verilator", 0, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("simulator", "b"), CASES)
def test_hardware_equals_golden_on_every_image(
    simulator: Simulator, b: int, tmp_path: Path
) -> None:
    """Images light the pixels that are left out, too; the first layer is sampled or not."""
    network = pruned(b)
    images = random_images(network, 6)
    verilog = generate(network, FOLDER / "designs" / f"pruned-{b}")
    verdict = verify(
        network,
        verilog,
        images,
        Setup(members=3, stalls=25),
        simulator,
        tmp_path,
        builds=FOLDER / "builds",
        processes=1,
        level="-O0",
    )
    assert verdict.equal, verdict
    assert verdict.comparison is not None
    assert verdict.comparison.members == 18


@pytest.mark.icarus
def test_another_pixel_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware whose sift keeps a neighbour of the right pixel."""
    network = pruned()
    rows = list(network.input_rows or ())
    place = next(n for n, row in enumerate(rows[:-1]) if row + 1 < rows[n + 1])
    rows[place] += 1
    wrong = Sift(element_bits=8, chunk=4, length=26, kept=rows)
    monkeypatch.setattr(DataPath, "_sift", lambda self: wrong)
    verilog = generate(network, tmp_path)
    images = random_images(network, 4)
    verdict = verify(
        network, verilog, images, Setup(members=2), "icarus", tmp_path, processes=1, level="-O0"
    )
    assert not verdict.stopped
    assert not verdict.equal


def test_command(tmp_path: Path) -> None:
    """The shipped network on the images that ship: rows, memory, cycles, every logit."""
    output = tmp_path / "pruned.safetensors"
    given = [str(MODEL), "--images", "300", "-o", str(output), "--json"]
    result = CliRunner().invoke(prune_command.command, given, catch_exceptions=False)
    told = json.loads(result.stdout)
    before, after = told["before"], told["after"]
    images, _ = data.load("mnist-1000")
    assert told["never_lit"] == int(never_lit(images).sum())
    assert after["rows"] == load(output).layers[0].rows == len(load(output).input_rows or ())
    assert after["rows"] % 56 == 0
    assert after["row_groups"] < before["row_groups"]
    assert after["cycles_per_vector"] < before["cycles_per_vector"]
    assert told["logits_equal"] == told["logits_compared"] == 300 * 10 * 10
    assert told["images_that_light_pruned"] == 0
    text = CliRunner().invoke(prune_command.command, given[:-1], catch_exceptions=False).stdout
    assert "logits equal on the others: 30000/30000" in text


def test_pixels_too_dark_to_be_read_are_never_lit(tmp_path: Path) -> None:
    model, output = MODEL.with_name("mnist-sfc.safetensors"), tmp_path / "pruned.safetensors"
    given = [str(model), "--images", "20", "-o", str(output), "--json"]
    result = CliRunner().invoke(prune_command.command, given, catch_exceptions=False)
    told = json.loads(result.stdout)
    images, _ = data.load("mnist-1000")
    assert told["never_lit"] == int(never_lit(images // 64).sum()) > int(never_lit(images).sum())
    assert told["logits_equal"] == told["logits_compared"] == 20 * 10 * 10


def test_refused(tmp_path: Path) -> None:
    dark = np.zeros(26, np.bool_)
    with pytest.raises(InputError, match="pixels that are never lit must be more than 1, to leave"):
        prune(plain(), dark)
    with pytest.raises(InputError, match="input_rows must be absent before pruning, not 'there'"):
        prune(pruned(), ~dark)
    whole = pruned()
    rows = list(whole.input_rows or ())
    for wrong, message in (
        (tuple(rows[:-1]), r"layers\[0\]\.rows must be 19, the places of input_rows, not 20"),
        ((*rows[:-1], 26), r"input_rows must be an integer in 0\.\.25, not 26"),
        ((*rows[1:], rows[0]), "input_rows must be ascending"),
        ((*rows[:-1], rows[-2]), "input_rows must be ascending"),
        ((), "input_rows must be at least one place"),
        ([], "input_rows must be a list of places"),
    ):
        with pytest.raises(InputError, match=f"^{message}"):
            replace(whole, input_rows=wrong)
    conv = ROOT / "models" / "mnist-conv.safetensors"
    with pytest.raises(InputError, match="dense to be pruned, not 'a convolution'"):
        CliRunner().invoke(prune_command.command, [str(conv)], catch_exceptions=False)
