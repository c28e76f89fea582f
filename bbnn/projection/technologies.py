"""Counts times constants: what each part of an accelerator takes in a technology.

Every technology has the crossbar of `docs/design.md`, digital around its weights; they differ in
what holds the weights and where their randomness comes from.

    pcm    a pair of cells a weight, a second pair as noise where it is sampled; a sense amplifier
           reads their sign, no converter
    mtj    a pair of junctions a weight; a sampled one is switched at random once a member; dropout
           by one junction a source, switched, read and reset
    sram   codes of b + 1 bits; a comparator a lane against a word of b random bits: of an LFSR of
           its own, or ("shared") of the noise plane that this project's hardware has
    adc    PCM whose columns are summed in the array, and converted: no popcount, no accumulation
           over rows but between arrays of 256
    fpga   the generated hardware in LUTs and block RAM (7 series), by the estimate of `bbnn fold`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bbnn.description import Layer, Network
from bbnn.folding import layer_cost
from bbnn.projection.constants import Floats, Prices
from bbnn.projection.counts import Mode, Work, counted, interval, neuron_bits
from bbnn.schedule import stage_cycles

Technology = Literal["pcm", "mtj", "sram", "shared", "adc", "fpga"]
TECHNOLOGIES: tuple[Technology, ...] = ("pcm", "mtj", "sram", "shared", "adc", "fpga")
CYCLE = {
    "pcm": "pcm_cycle",
    "mtj": "mtj_cycle",
    "sram": "logic_cycle",
    "shared": "logic_cycle",
    "adc": "pcm_cycle",
    "fpga": "fpga_cycle",
}
ARRAY_ROWS = 256
"""Rows that an ADC-based array sums at once, as HERMES and others do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one kind of part takes. area : um2, 0 on an FPGA. energy : pJ an inference, dynamic.

    logic : um2 that leak as logic. bits : of SRAM, which leak too.
    """

    area: Floats
    energy: Floats
    logic: Floats
    bits: int = 0


def folded_for(network: Network, technology: Technology) -> Network:
    """Return the network with the lanes that a technology has: an ADC-based one sums whole arrays.

    All others read as many rows a cycle as the network's own folding says.
    """
    if technology != "adc":
        return network

    def whole(layer: Layer) -> Layer:
        rows = min(layer.rows, max(layer.taps, ARRAY_ROWS // layer.taps * layer.taps))
        folding = replace(layer.folding, lanes_in=rows, skip_zeros=False)
        return replace(layer, folding=folding)

    return replace(network, layers=tuple(map(whole, network.layers)))


def parts(
    network: Network, members: int, technology: Technology, mode: Mode, prices: Prices
) -> dict[str, Part]:
    """Return what each part takes for one inference of T = `members`, by its name.

    The network is one that `folded_for` returned.
    """
    works = counted(network, members, mode)
    if technology == "fpga":
        return _fpga(network, members, works, mode, prices)
    found: dict[str, list[Part]] = {}
    for work in works:
        for name, part in (
            _weights(work, technology, prices)
            | _digital(work, technology, prices)
            | _sources(work, network, technology, prices)
        ).items():
            found.setdefault(name, []).append(part)
    classes = len(network.classes)
    adds = 32 * classes * members
    found["ensemble"] = [
        _logic(prices, adds * prices["adder_energy"], 64 * classes * prices["register_area"])
    ]
    found["input"] = [_free(prices, 8 * network.pixels * prices["dram_energy"])]
    return {name: _sum(each) for name, each in found.items()}


def dropout_draws(network: Network, members: int) -> dict[str, int]:
    """Return the dropout decisions of an inference, by layer, scale dropout's too.

    One an input map and member, or one a layer and member.
    """
    draws = {}
    for layer in network.layers:
        scaled = getattr(layer.neuron, "dropped", None) is not None
        count = (layer.maps if layer.dropout else 0) + scaled
        if count:
            draws[layer.name] = members * count
    return draws


def module_energy(technology: Technology, bits: int, prices: Prices) -> Floats:
    """Return the pJ of one dropout decision: a junction, or `bits` random bits compared."""
    if technology == "mtj":
        # Switched, read, reset.
        return 2 * prices["mtj_write"] + prices["mtj_read"] + prices["sense_amplifier_energy"]
    return bits * (prices["lfsr_energy"] + prices["comparator_energy"])


def _weights(work: Work, technology: Technology, prices: Prices) -> dict[str, Part]:
    if technology in ("sram", "shared"):
        # A code has b + 1 bits where it is sampled, else it is a sign.
        bits = work.cells + work.sampled_cells * work.bits
        read = work.reads + work.sampled_reads * work.bits
        area = bits * prices["sram_bit_area"] * prices["array_overhead"]
        memory = replace(_free(prices, read * prices["sram_read"]), area=area, bits=bits)
        if not work.bits:
            return {"weights": memory}
        lanes = work.lanes * work.bits
        compared = work.sampled_reads * work.bits * prices["comparator_energy"]
        return {
            "weights": memory,
            "comparators": _logic(prices, compared, lanes * prices["comparator_area"]),
        }
    device = "mtj" if technology == "mtj" else "pcm"
    noisy = work.bits > 0 and device == "pcm"
    devices = 2 * work.cells + (2 * work.sampled_cells if noisy else 0)
    touched = 2 * work.reads + (2 * work.sampled_reads if noisy else 0)
    area = devices * prices[f"{device}_cell_area"] * prices["array_overhead"]
    cells = replace(_free(prices, touched * prices[f"{device}_read"]), area=area)
    rows = work.layer.rows * work.copies
    driven = _logic(prices, work.reads * prices["driver_energy"], rows * prices["driver_area"])
    result = {"weights": cells, "drivers": driven}
    if technology == "adc":
        result["converters"] = _logic(
            prices,
            work.sums * prices["adc_energy"],
            work.columns_at_once * prices["adc_area"],
        )
        return result
    result["sense amplifiers"] = _logic(
        prices,
        work.reads * prices["sense_amplifier_energy"],
        work.lanes * prices["sense_amplifier_area"],
    )
    return result


def _sources(
    work: Work, network: Network, technology: Technology, prices: Prices
) -> dict[str, Part]:
    """Return what makes randomness, but for the cells that are noisy themselves."""
    layer, bits = work.layer, work.bits
    energy, area = _nothing(prices), _nothing(prices)
    if bits and technology == "sram":
        energy = energy + work.sampled_reads * bits * prices["lfsr_energy"]
        area = area + work.lanes * bits * prices["lfsr_area"]
    held = 0
    if bits and technology == "shared":
        # Drawn once a member into the noise plane, read with every row group, joined in lanes.
        drawn = prices["lfsr_energy"] + prices["sram_read"]
        assert layer.noise is not None
        rows = work.sampled_reads * layer.noise.row_bits // layer.folding.lanes_out
        read = work.sums * bits + rows
        energy = energy + work.noise * drawn + read * prices["sram_read"]
        energy = energy + work.sampled_reads * bits * prices["comparator_energy"]
        held = layer.noise_bits * work.copies
        area = area + network.lfsr_width * prices["lfsr_area"]
        area = area + held * prices["sram_bit_area"] * prices["array_overhead"]
    if bits and technology == "mtj":
        # A sample is a reset and a switching at random of every sampled cell.
        cells = layer.columns * (work.sampled_cells // (layer.columns * work.copies))
        energy = energy + work.samplings * cells * 2 * prices["mtj_write"]
    draws = dropout_draws(network, 1).get(layer.name, 0)
    if draws:
        width = layer.dropout.bits if layer.dropout else _scale_bits(network)
        taken = work.samplings or _members(work, network)
        energy = energy + draws * taken * module_energy(technology, width, prices)
        area = area + draws * prices["register_area"]
    if not np.any(energy) and not np.any(area):
        return {}
    return {"randomness": replace(_logic(prices, energy, area), bits=held)}


def _scale_bits(network: Network) -> int:
    assert network.scale_dropout is not None
    return network.scale_dropout.bits


def _members(work: Work, network: Network) -> int:
    """Return the passes of a layer that draws one scale bit a member."""
    vectors = work.outputs // (work.layer.positions * work.layer.columns)
    return vectors // network.steps


def _digital(work: Work, technology: Technology, prices: Prices) -> dict[str, Part]:
    width = work.width
    counted_bits = 0 if technology == "adc" else work.reads
    added = counted_bits + work.sums * width
    adders = (0 if technology == "adc" else work.lanes) + work.columns_at_once * width
    compared, summed, kept = neuron_bits(work)
    neuron_energy = work.outputs * (
        compared * prices["comparator_energy"]
        + summed * prices["adder_energy"]
        + 2 * kept * prices["sram_read"]
    )
    neuron_area = work.neurons * (
        compared * prices["comparator_area"] + summed * prices["adder_area"]
    )
    state = kept * work.outputs // max(1, work.samplings or 1)
    cell = prices["sram_bit_area"] * prices["array_overhead"]
    neurons = _logic(prices, neuron_energy, neuron_area)
    buffers = _free(prices, (work.written + work.driven) * prices["sram_read"])
    return {
        "adders": _logic(prices, added * prices["adder_energy"], adders * prices["adder_area"]),
        "registers": _logic(
            prices,
            work.sums * width * prices["register_energy"],
            2 * work.columns_at_once * width * prices["register_area"],
        ),
        "buffers": replace(buffers, area=work.buffer * cell, bits=work.buffer),
        "neurons": replace(neurons, area=neuron_area + state * cell, bits=state),
    }


def _fpga(
    network: Network, members: int, works: list[Work], mode: Mode, prices: Prices
) -> dict[str, Part]:
    """Return dynamic energy by resource: toggles at the vendor's default rate, as long as it runs.

    A layer runs for its crossbar's cycles; its clock runs as long as the image takes.
    """
    whole = interval(network, members, mode)
    stages = stage_cycles(network, 1 if mode.pipelined else members)
    logic, clock, memory = _nothing(prices), _nothing(prices), _nothing(prices)
    for work in works:
        cost = layer_cost(work.layer)
        busy = stages[f"{work.layer.name} crossbar"] * work.copies
        toggled = cost.lut * busy * prices["fpga_toggle_rate"]
        logic = logic + toggled * (prices["fpga_lut_toggle"] + prices["fpga_net_toggle"])
        clock = (
            clock + cost.lut * work.copies * prices["fpga_ff_share"] * whole * prices["fpga_clock"]
        )
        memory = memory + cost.bram36 * busy * prices["fpga_bram_access"]
    input_energy = 8 * network.pixels * prices["dram_energy"]
    return {
        "logic and nets": _free(prices, logic),
        "clocks": _free(prices, clock),
        "block RAM": _free(prices, memory),
        "static": _free(prices, whole * prices["fpga_cycle"] * prices["fpga_static"]),
        "input": _free(prices, input_energy),
    }


def _nothing(prices: Prices) -> Floats:
    return np.zeros_like(prices["adder_energy"])


def _free(prices: Prices, energy: Floats) -> Part:
    """Return a part of no area."""
    nothing = _nothing(prices)
    return Part(area=nothing, energy=energy + nothing, logic=nothing)


def _logic(prices: Prices, energy: Floats, area: Floats) -> Part:
    return Part(area=area + _nothing(prices), energy=energy + _nothing(prices), logic=area)


def _sum(each: list[Part]) -> Part:
    return Part(
        area=np.sum([part.area for part in each], axis=0),
        energy=np.sum([part.energy for part in each], axis=0),
        logic=np.sum([part.logic for part in each], axis=0),
        bits=sum(part.bits for part in each),
    )
