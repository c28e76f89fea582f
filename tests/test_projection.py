"""The projection: counts by hand, cited constants, scaling, and baselines with one difference."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn import sparsity
from bbnn.cli import group
from bbnn.description import Network, deterministic
from bbnn.errors import InputError
from bbnn.model_file import save_network
from bbnn.projection import (
    TECHNOLOGIES,
    Mode,
    Prices,
    baselines_of,
    project,
    ranged,
    split,
    table,
    told,
)
from bbnn.projection.baselines import element_draws, modules, recoded
from bbnn.projection.constants import DRAWS, parsed
from bbnn.projection.counts import counted, interval, latency, macs
from bbnn.projection.power import Design, estimated
from bbnn.projection.scaling import AREA, ENERGY, energy_at, factor
from bbnn.schedule import image_cycles
from bbnn.sparsity import operations, sampled_weights
from networks import random_network
from systems import CASES, conv_network, quantised_network, scale_network, spatial_network
from test_projection_power import ACTIVITY

ALL = {name: make() for name, make in CASES.items()}


def close(values: Any, expected: Any) -> bool:
    """Whether all figures are equal to rounding, however small they are."""
    return np.allclose(values, expected, rtol=1e-9, atol=0)


def small(codes: list[list[int]] | None = None) -> Network:
    """Return 4 - 3 - 2, T = 3; the first layer is fixed, of the second's rows one is stochastic."""
    network = random_network(
        sizes=(4, 3, 2), probability_bits=(0, 1), lanes=((2, 3), (3, 1)), members=3
    )
    second = replace(network.layers[1], codes=np.array(codes or [[0, 1], [0, 2], [2, 2]]))
    return replace(network, layers=(network.layers[0], second))


def test_counts_by_hand() -> None:
    """Eight planes of 2 + 2 rows by 3 columns once; then 3 rows by 1 + 1 columns three times."""
    first, second = counted(small(), 3, Mode())
    assert (first.cells, first.sampled_cells, first.lanes, first.columns_at_once) == (12, 0, 6, 3)
    assert (first.reads, first.sums, first.driven) == (8 * 12, 8 * 2 * 3, 8 * 4)
    assert (first.written, first.buffer, first.outputs) == (4 * 8, 2 * 4 * 8, 3)
    assert (first.macs, first.samplings, first.noise, first.width) == (12, 0, 0, 11)
    assert (second.cells, second.sampled_cells, second.lanes) == (6, 6, 3)
    assert (second.reads, second.sampled_reads, second.sums) == (18, 18, 6)
    assert (second.driven, second.written, second.outputs) == (3 * 2 * 3, 3, 6)
    # Three row bits and two column bits a member.
    assert (second.macs, second.samplings, second.noise) == (18, 3, 15)
    assert macs(small(), 3) == 3 * (12 + 6)


def test_rows_apart_by_hand() -> None:
    """The sums over the two fixed rows are taken once; copies are of the stochastic row alone."""
    rows = split(small().layers[1])
    assert (rows.sampled, rows.fixed) == (1, 2)
    one = counted(small(), 3, Mode(apart=True))[1]
    assert (one.reads, one.sampled_reads, one.cells) == (1 * 2 * 3 + 2 * 2, 6, 6)
    copied = counted(small(), 3, Mode(apart=True, pipelined=True))[1]
    assert (copied.reads, copied.cells, copied.sampled_cells) == (10, 3 * 2 + 4, 6)
    assert (copied.lanes, copied.buffer) == (9, 3 * one.buffer)


def test_rows_that_the_description_keeps_apart() -> None:
    """They cost what `apart` says of the network that does not yet."""
    whole = small()
    lanes = replace(whole.layers[1].folding, lanes_in=1)
    whole = replace(whole, layers=(whole.layers[0], replace(whole.layers[1], folding=lanes)))
    kept = sparsity.split(whole)
    assert kept.layers[1].folding.reuse
    for pipelined in (False, True):
        expected = counted(whole, 3, Mode(apart=True, pipelined=pipelined))[1]
        found = counted(kept, 3, Mode(pipelined=pipelined))[1]
        for name in ("reads", "sampled_reads", "cells", "sampled_cells", "sums", "macs"):
            assert getattr(found, name) == getattr(expected, name), name


def test_prices_times_counts() -> None:
    """96 fixed reads of two devices, 18 sampled ones of four; a code of a bit, or of two."""
    prices = Prices(28)
    pcm = project(small(), "pcm", prices)
    assert close(pcm.energies["weights"], (2 * 96 + 4 * 18) * prices["pcm_read"] * 1e-12)
    cells = (2 * 12 + 4 * 6) * prices["pcm_cell_area"] * prices["array_overhead"]
    assert close(pcm.areas["weights"], cells * 1e-6)
    sram = project(small(), "sram", prices)
    assert close(sram.energies["weights"], (96 + 2 * 18) * prices["sram_read"] * 1e-12)
    assert close(sram.energies["randomness"], 18 * prices["lfsr_energy"] * 1e-12)
    mtj = project(small(), "mtj", prices)
    # All six cells of the second layer, reset and switched, for each member.
    assert close(mtj.energies["randomness"], 3 * 6 * 2 * prices["mtj_write"] * 1e-12)
    assert pcm.nominal == 2 * 54
    assert pcm.executed == 2 * (12 + 18)
    assert ranged(pcm.efficiency(pcm.nominal)).typical == pytest.approx(
        pcm.nominal / pcm.energy[0] / 1e9
    )


@pytest.mark.parametrize("name", ALL)
def test_counts_agree_with_the_description(name: str) -> None:
    network = ALL[name]
    members = network.ensemble.members
    works = counted(network, members, Mode())
    assert 2 * sum(work.macs for work in works) == 2 * operations(network)
    for work, layer in zip(works, network.layers, strict=True):
        assert work.reads == layer.drive.bits * work.macs
        kept = layer.sampled_rows * layer.columns
        sampled = sampled_weights(layer) if layer.sampled is None else kept
        assert split(layer).sampled * layer.columns == sampled
    assert interval(network, members, Mode()) == image_cycles(network)
    assert latency(network, members, Mode()) >= image_cycles(network) - image_cycles(network, 1)


def test_pipelined_is_faster_larger_and_no_less_work() -> None:
    network, prices = conv_network(), Prices(28)
    one, many = (project(network, "pcm", prices, Mode(pipelined=p)) for p in (False, True))
    assert (many.interval < one.interval).all()
    assert (many.area > one.area).all()
    assert close(many.energies["weights"], one.energies["weights"])


def test_every_constant_is_cited_and_used() -> None:
    prices = Prices(28)
    spiking = next(network for network in ALL.values() if network.spiking)
    for network in (conv_network(), spatial_network(), scale_network(), spiking):
        for technology in TECHNOLOGIES:
            project(network, technology, prices)
    estimated(Design(lut=1, ff=1, bram36=1, dsp=1), ACTIVITY, 100, prices)
    assert prices.used == set(table())
    for constant in table().values():
        assert re.search(r"(19|20)\d\d|https?://|UG\d+|DS\d+", constant.citation), constant.name
        assert len(constant.note) > 10, constant.name
        low, typical, high = constant.value
        assert 0 < low <= typical <= high
        # What was not read again must say so by its width.
        assert constant.evidence == "seen" or high / low >= 1.3, constant.name


WHOLE = """
[sources]
known = "A. Author, 2020"
[thing]
value = [1.0, 2.0, 3.0]
unit = "pJ"
node = 28
scaling = "energy"
source = "known"
evidence = "seen"
note = "a figure"
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "known"', 'source = "nobody"', "thing.source must be among"),
        ('source = "known"', "", "thing.source must be given"),
        ('"A. Author, 2020"', '""', "thing.source must be among"),
        ('"seen"', '"guessed"', "thing.evidence must be seen or recalled"),
        ("[1.0, 2.0, 3.0]", "[1.0, 4.0, 3.0]", "thing.value must be positive and in order"),
        ('"energy"', '"voltage"', "thing.scaling must be energy, area or none"),
    ],
)
def test_table_refuses_what_is_not_cited(old: str, new: str, said: str) -> None:
    assert parsed(WHOLE)["thing"].value == (1, 2, 3)
    with pytest.raises(InputError, match=said):
        parsed(WHOLE.replace(old, new))


def test_scaling_is_monotone_and_agrees_with_the_corrigendum() -> None:
    for kind in ("energy", "area"):
        factors = [factor(kind, 45, node) for node in range(90, 6, -1)]
        assert factors == sorted(factors, reverse=True)
        assert factor(kind, 45, 45) == 1
        assert factor(kind, 45, 14) * factor(kind, 14, 45) == pytest.approx(1)
    assert factor("none", 45, 7) == 1
    assert factor("area", 45, 32) == pytest.approx(AREA[32])
    assert set(AREA) == set(ENERGY)
    # Stillmaker and Baas: 1 pJ at 65 nm and 1.3 V is 0.1755 pJ at 32 nm and 0.9 V.
    assert energy_at(32, 0.9) == pytest.approx(0.4571, abs=1e-4)
    assert energy_at(65, 1.3) == pytest.approx(2.604, abs=1e-3)
    assert energy_at(32, 0.9) / energy_at(65, 1.3) == pytest.approx(0.1755, abs=1e-4)
    # By hand, at nominal voltages.
    nominal = {45: 0.8612, 20: 0.2008, 14: 0.0962}
    for node, value in nominal.items():
        assert energy_at(node, ENERGY[node][1]) == pytest.approx(value, abs=1e-4)
    for node in (5, 130):
        with pytest.raises(InputError, match=r"--node must be in 7\.\.90 nm"):
            Prices(node)


def test_draws_repeat_and_keep_to_the_band() -> None:
    one, other = Prices(28), Prices(28)
    for name, constant in table().items():
        scale = factor(constant.scaling, constant.node, 28)
        values = one[name]
        assert values.shape == (1 + DRAWS,)
        assert np.array_equal(values, other[name])
        assert values[0] == pytest.approx(scale * constant.value[1])
        assert values.min() >= scale * constant.value[0] * (1 - 1e-9)
        assert values.max() <= scale * constant.value[2] * (1 + 1e-9)


def test_ratios_share_their_draws() -> None:
    """A ratio of what costs the same is exact, though both have wide ranges."""
    prices = Prices(28)
    one, two = project(small(), "pcm", prices), project(small(), "pcm", prices)
    energy = ranged(one.energy)
    assert energy.low < 0.8 * energy.typical < energy.typical < energy.high
    ratio = ranged(one.energy / two.energy)
    assert ratio.low == ratio.high == 1


def differing(ours: Any, other: Any) -> set[str]:
    """Return the parts in which two projections differ, in area or energy."""
    names = set(ours) | set(other)
    return {
        name
        for name in names
        if name not in ours or name not in other or not close(ours[name], other[name])
    }


def test_baselines_differ_in_what_they_say() -> None:
    prices, network = Prices(28), quantised_network()
    members = network.ensemble.members
    found = baselines_of(network, "pcm", prices, Mode(), members)
    assert set(found) == {"sram-1", "sram-4", "sram-8", "shared", "adc", "frequentist"}
    sram, wide = found["sram-1"], found["sram-8"]
    assert differing(sram.energies, wide.energies) <= {
        *("weights", "comparators", "randomness", "leakage")
    }
    assert (wide.energy > sram.energy).all()
    shared = project(recoded(network, 1), "shared", prices)
    assert differing(shared.energies, sram.energies) == {"randomness", "leakage"}
    pcm = project(network, "pcm", prices)
    assert differing(pcm.energies, found["adc"].energies) <= {
        *("converters", "sense amplifiers", "adders", "registers", "leakage", "buffers")
    }
    plain = found["frequentist"]
    assert plain.members == 1
    assert np.array_equal(
        plain.energy, project(deterministic(network), "pcm", prices, Mode(), 1).energy
    )


@pytest.mark.parametrize("make", [spatial_network, scale_network])
def test_element_wise_dropout_differs_in_its_sources(make: Any) -> None:
    prices, network = Prices(28), make()
    members = network.ensemble.members
    own = project(network, "mtj", prices)
    other = baselines_of(network, "mtj", prices, Mode(), members)["element"]
    assert differing(own.energies, other.energies) == {"randomness"}
    assert (other.energies["randomness"] > own.energies["randomness"]).all()


def test_dropout_by_hand() -> None:
    """A 3 x 3 convolution of four maps and dense layers: modules, and what they decide."""
    network = spatial_network()
    dropping = [layer for layer in network.layers if layer.dropout is not None]
    own, wise = modules(network)
    assert own == sum(layer.maps for layer in dropping)
    assert wise == sum(layer.rows for layer in dropping) > own
    assert dropping[0].rows == 9 * dropping[0].maps
    draws = sum(layer.positions * layer.rows for layer in dropping)
    assert element_draws(network, 5) == 5 * draws
    scaled = scale_network()
    assert modules(scaled)[0] == 1


def test_recoded_keeps_what_is_certain() -> None:
    network = conv_network()
    wide = recoded(network, 8)
    for old, new in zip(network.layers, wide.layers, strict=True):
        assert new.stochastic_weights == old.stochastic_weights
        assert new.probability_bits == (8 if old.probability_bits else 0)


def run(*arguments: str) -> Any:
    ran = CliRunner().invoke(group, ["project", *arguments], catch_exceptions=False)
    assert ran.exit_code == 0
    return ran.stdout


def ranges(found: Any) -> list[dict[str, Any]]:
    """Return all figures of a projection's JSON."""
    if isinstance(found, dict):
        if "kind" in found:
            return [found]
        return [each for value in found.values() for each in ranges(value)]
    return []


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_command(technology: str, tmp_path: Path) -> None:
    model, picture = tmp_path / "model.safetensors", tmp_path / "picture.png"
    save_network(conv_network(), model)
    chosen = [str(model), "--technology", technology]
    found = json.loads(run(*chosen, "--json", "--report", str(picture)))
    assert picture.read_bytes().startswith(b"\x89PNG")
    figures = ranges(found)
    assert len(figures) > 50
    assert {each["kind"] for each in figures} == {"projected"}
    assert all(each["low"] <= each["typical"] <= each["high"] for each in figures)
    assert (found["area"] is None) == (technology == "fpga")
    own = project(conv_network(), technology, Prices(28))  # type: ignore[arg-type]
    assert found["energy_per_inference"]["typical"] == pytest.approx(own.energy[0])
    assert found["parts"] == told(own, 28)["parts"]
    shown = run(*chosen)
    assert "all figures projected" in shown.replace("\n", " ")
    assert "GOPS/W" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--node", "soon"], "--node must be a node such as 28nm, not 'soon'"),
        (["--node", "3nm"], "--node must be in 7..90 nm"),
        (["--technology", "fpga", "--node", "14nm"], "--node of an FPGA"),
        (["--members", "0"], "--members must be an integer in 1.."),
        (["--report", "nowhere/x.png"], "--report must be a file in an existing folder"),
    ],
)
def test_command_refuses(arguments: list[str], said: str, tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    save_network(small(), model)
    ran = CliRunner().invoke(group, ["project", str(model), *arguments])
    assert isinstance(ran.exception, InputError)
    assert said in str(ran.exception)
