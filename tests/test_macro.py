"""The analog build: macros in place of sampled crossbars, equal to what golden's PCM chip reads."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli import group
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import digest, save_network
from boards.synthesis import synthesize
from golden.devices.mapping import Cells
from golden.devices.network import Moment, Reads
from golden.devices.stream import record, samples, write_streams
from golden.network import logits
from golden.noise import plus_or_minus
from hdl.generate import generate
from hdl.macro import ARRAYS
from networks import random_images, random_network
from systems import CASES
from tb.build import Simulator, build
from tb.play import SimulationError, beats, play
from tb.setup import Setup
from tb.verify import Verdict, verify

FOLDER = Path(__file__).parents[1] / "build" / "tests"
READS = Reads(Moment(cells=Cells(), chip=3, time=3600.0, compensated=True))
IMAGES = 5


@cache
def network(**ensemble: Any) -> Network:
    """Return three layers: macro, codes, macro; the last group of each macro lacks some rows."""
    lanes = ((5, 4), (4, 3), (3, 3))
    return random_network(3, probability_bits=(2, 0, 1), lanes=lanes, **ensemble)


@cache
def design(reseed: str) -> Path:
    """Return the Verilog of the analog build."""
    return generate(network(reseed=reseed), FOLDER / "designs" / f"macro-{reseed}", "macro")


def macros(network: Network, folder: Path, simulator: Simulator, **setup: Any) -> Verdict:
    """Simulate the analog build on streams that are in `folder`."""
    images = random_images(network, IMAGES)
    given = Setup(members=3, source=READS, streams=folder, **setup)
    return verify(
        network,
        design(network.ensemble.reseed),
        images,
        given,
        simulator,
        folder,
        builds=FOLDER / "builds",
        processes=1,
        level="-O0",
    )


RESEEDED = [
    pytest.param("icarus", "image", marks=pytest.mark.icarus),
    pytest.param("icarus", "never", marks=[pytest.mark.icarus, pytest.mark.slow]),
    pytest.param("verilator", "never", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("simulator", "reseed"), RESEEDED)
def test_every_member_equals_golden(simulator: Simulator, reseed: str, tmp_path: Path) -> None:
    """With stalls, with cells that take their time, after a restart."""
    described = network(reseed=reseed)
    write_streams(described, READS, IMAGES, 3, tmp_path)
    compared = 0
    setups: list[dict[str, Any]] = [{}, {"stalls": 30, "draw": 7}, {"restart_after": 333}]
    for setup in setups:
        verdict = macros(described, tmp_path, simulator, **setup)
        assert verdict.equal, verdict
        assert verdict.comparison is not None
        compared += verdict.comparison.members
    assert compared == len(setups) * IMAGES * 3
    print(f"members equal {compared}/{compared}")


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize(
    "name",
    [
        # Convolutions, spikes, dropped maps, zeros skipped, weights drawn in every step.
        "skipping-dropout-step",
        "quantised-sum",
        "spiking-rate",
        "mixed-never",
        "residual-front",
    ],
)
def test_every_system(name: str, tmp_path: Path) -> None:
    """Cells stand still while a member reads them position by position, plane by plane."""
    described = CASES[name]()
    members = described.ensemble.members
    write_streams(described, READS, 2, members, tmp_path)
    verdict = verify(
        described,
        generate(described, FOLDER / "designs" / f"macro-{name}", "macro"),
        random_images(described, 2),
        Setup(members=members, source=READS, streams=tmp_path, draw=3),
        "icarus",
        tmp_path,
        builds=FOLDER / "builds",
        processes=1,
        level="-O0",
    )
    assert verdict.equal, verdict
    assert verdict.comparison is not None
    assert verdict.comparison.members == 2 * members


def test_the_reads_are_not_the_codes() -> None:
    """A core that still sampled from its codes would not pass."""
    images = random_images(network(), IMAGES)
    read = logits(network(), images, source=READS)
    assert (read != logits(network(), images)).any(axis=2).mean() > 0.9
    never = logits(network(reseed="never"), images, source=READS)
    assert (never[1:] != read[1:]).any()


def broken(path: Path, what: str) -> None:
    """Do to a stream what must be noticed."""
    content = bytearray(path.read_bytes())
    if what == "a broken sample":
        content[-30] ^= 1
    elif what == "a cut sample":
        del content[-1]
    elif what == "too few samples":
        content[12:16] = (IMAGES * 3 - 1).to_bytes(4, "big")
    elif what == "another layer":
        content[7] += 1
    elif what == "no header":
        content[:] = content[:7]
    elif what == "no samples":
        path.unlink()
        return
    path.write_bytes(content)


@pytest.mark.icarus
@pytest.mark.parametrize(
    "what",
    [
        "a broken sample",
        "a cut sample",
        "too few samples",
        "another layer",
        "no header",
        "no samples",
    ],
)
def test_a_broken_stream_is_noticed(what: str, tmp_path: Path) -> None:
    write_streams(network(), READS, IMAGES, 3, tmp_path)
    broken(tmp_path / "hidden_0.stream", what)
    described = network(reseed="image")
    made = build(described.name, design("image"), "icarus", FOLDER / "builds", level="-O0")
    setup = Setup(members=3, source=READS, streams=tmp_path)
    with pytest.raises(SimulationError, match=f"^crossbar macro hidden_0: {what} in "):
        play(made, described, beats(random_images(described, IMAGES)), setup, tmp_path)


@pytest.mark.icarus
def test_other_samples_are_noticed(tmp_path: Path) -> None:
    """A stream that is whole, of another chip: the logits say so, and where it is."""
    other = Reads(replace(READS.moment, chip=4))
    write_streams(network(), other, IMAGES, 3, tmp_path)
    verdict = macros(network(reseed="image"), tmp_path, "icarus")
    assert not verdict.stopped
    assert not verdict.equal
    assert verdict.difference is not None
    assert verdict.difference.layer == "hidden_0"


def test_record_and_samples() -> None:
    bits = np.zeros((3, 10), np.bool_)
    bits[0, 0] = bits[1, 9] = bits[2, 9] = True
    assert record(bits) == bytes([0, 1, 2, 0, 2, 0, 0, 1])
    described = network()
    drawn = list(samples(described, 0, READS, 2, 3))
    expected = list(READS.weights(described, 0, 1, 3))
    for number, each in enumerate(drawn):
        np.testing.assert_array_equal(plus_or_minus(each), expected[number % 3])
    assert len(drawn) == 6


def test_nothing_of_the_codes_is_left(tmp_path: Path) -> None:
    """Codes and noise of the sampled layers are gone: other ones give the same periphery."""
    described = network()
    layers = [
        replace(layer, codes=2**layer.probability_bits - layer.codes)
        if layer.probability_bits
        else layer
        for layer in described.layers
    ]
    other = replace(described, layers=tuple(layers))
    texts = []
    for number, each in enumerate((described, other)):
        folder = tmp_path / str(number)
        verilog = generate(each, folder, "macro")
        told = str(int(digest(each)[:8], 16))
        texts.append(verilog.read_text().split("\n", 1)[1].replace(told, "BUILD"))
        names = [path.name for path in (folder / "memory").iterdir()]
        assert names == ["hidden_1_codes.hex"]
    assert texts[0] == texts[1]
    assert "noise" not in texts[0].split("module crossbar_macro")[0]
    with_lanes = generate(described, tmp_path / "lanes")
    assert "noise" in with_lanes.read_text()


@pytest.mark.slow
def test_the_periphery_synthesizes_alone(tmp_path: Path) -> None:
    """With the macros as black boxes; what is left is smaller than with lanes that sample."""
    part = "xc7z020clg400-1"
    described = random_network(3, sizes=(12, 6, 3), probability_bits=(8, 8))
    found = {}
    for array in ARRAYS:
        verilog = generate(described, tmp_path / array, array)
        found[array] = synthesize(verilog, described.name, part, tmp_path / array / "synthesis")
    print({array: (each.lut, each.ff, each.macro) for array, each in found.items()})
    assert (found["lanes"].macro, found["macro"].macro) == (0, 2)
    assert 0 < found["macro"].lut < found["lanes"].lut
    assert found["macro"].ff < found["lanes"].ff


def test_command(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    save_network(random_network(3, probability_bits=(0, 0, 0)), model)
    for command in ("generate", "simulate", "synth"):
        given = [command, str(model), "--array", "macro"]
        with pytest.raises(
            InputError, match="--array macro must be used for a network with sampled"
        ):
            CliRunner().invoke(group, given, catch_exceptions=False)
    save_network(network(), model)
    given = ["generate", str(model), "--array", "macro", "-o", str(tmp_path / "out"), "--json"]
    manifest = json.loads(CliRunner().invoke(group, given, catch_exceptions=False).stdout)
    assert manifest["array"] == "macro"
    assert [layer["array"] for layer in manifest["layers"]] == ["macro", "lanes", "macro"]
