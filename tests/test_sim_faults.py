"""The benches notice what is wrong, and say where: a test that cannot fail proves nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bbnn.description import Layer, Network, Threshold
from bbnn.interface import registers
from golden.network import logits, trace
from hdl.generate import verilog_text
from tb.build import BuildError, Simulator, build
from tb.compare import compare, packets
from tb.play import SimulationError, beats, check_registers, play
from tb.run import Outcome
from tb.setup import Setup
from tb.verify import Verdict, verify
from test_simulation import FOLDER, design, images, network

FAULTS: dict[str, tuple[str, str, str]] = {
    "takes an offer back": ("m_axis_tvalid", "core && count[1]", "m_axis changed its offer"),
    "changes an offer": ("m_axis_tdata", "core ^ count", "m_axis changed its offer"),
    "offers unknown bits": ("m_axis_tdata", "{core[31:1], 1'bx}", "word 0 of m_axis is unknown"),
    "is silent": ("m_axis_tvalid", "1'b0", "nothing moved for"),
    "has no TLAST": ("m_axis_tlast", "1'b0", "2 packets of 18 words must come, not 0 in 3"),
    "has two TLASTs": ("m_axis_tlast", "core || count[4]", "packets of 18 words must come"),
    "gives one word more": (
        "m_axis_tvalid",
        "core || quiet == 250",
        "2 packets of 18 words must come, not 2 in",
    ),
    "reads another value": ("s_axi_rdata", "core ^ 32'h80", "ID must read 0x42424e4e"),
    "counts wrongly": ("s_axi_rdata", "core ^ (quiet == 255)", "MEMBERS must read 0x2, not 0x3"),
    "reads unknown bits": ("s_axi_rdata", "{core[31:1], 1'bx}", "s_axi reads"),
    "changes an answer": ("s_axi_rdata", "core ^ !s_axi_rready", "s_axi changed its answer"),
    "answers unasked": ("s_axi_bvalid", "core || count[5]", "s_axi answers what it has not"),
    "does not answer": ("s_axi_bvalid", "1'b0", "s_axi gives no answer"),
    "refuses": ("s_axi_bresp", "2'b10", "writing 2 to MEMBERS is refused"),
}
"""An output port, what it gives in place of the core's own, what the bench says then."""


@cache
def healthy() -> str:
    """Return the design of the network "coins"."""
    return verilog_text(network("coins"))


def wrapped(text: str, port: str, value: str) -> str:
    """Return a design whose output `port` gives `value` in place of what its core gives."""
    head = text[text.index("module random_network(") :]
    names = re.findall(r"\w+", head[: head.index(";")])[2:]
    kinds = {name: re.search(rf"^  ((?:in|out)put.*) {name};", head, re.M) for name in names}
    lines = [f"  {kinds[name][1]} {name};" for name in names]  # type: ignore[index]
    pins = ", ".join(f".{name}({'core' if name == port else name})" for name in names)
    width = re.search(r"\[.*\]", kinds[port][1])  # type: ignore[index]
    return "\n".join(
        [
            text.replace("module random_network(", "module healthy("),
            f"module random_network({', '.join(names)});",
            *lines,
            f"  wire {width[0] if width else ''} core;",
            "  reg [31:0] count = 0;",
            "  reg [7:0] quiet = 0;",
            "  always @(posedge aclk) count <= count + 1;",
            "  always @(posedge aclk)",
            "    if (m_axis_tvalid && m_axis_tready && m_axis_tlast) quiet <= 1;",
            "    else if (quiet != 0 && quiet != 255) quiet <= quiet + 1;",
            f"  assign {port} = {value};",
            f"  healthy healthy ({pins});",
            "endmodule",
        ]
    )


@pytest.mark.icarus
@pytest.mark.parametrize("fault", FAULTS)
def test_bench_notices(fault: str, tmp_path: Path) -> None:
    port, value, message = FAULTS[fault]
    coins = network("coins")
    verilog = tmp_path / "wrapped.v"
    verilog.write_text(wrapped(healthy(), port, value))
    made = build(coins.name, verilog, "icarus", tmp_path / "build")
    with pytest.raises(SimulationError, match=re.escape(message)):
        play(made, coins, beats(images(coins)[:2]), Setup(members=2, stalls=20), tmp_path / "run")


@pytest.mark.icarus
def test_registers_bench_notices(tmp_path: Path) -> None:
    """An accepted write is noticed where it must be refused."""
    coins = network("coins")
    verilog = tmp_path / "wrapped.v"
    verilog.write_text(wrapped(healthy(), "s_axi_bresp", "2'b00"))
    made = build(coins.name, verilog, "icarus", tmp_path / "build")
    with pytest.raises(SimulationError, match=r"writing .* to ID must be refused"):
        check_registers(made, coins, tmp_path)


def altered(network: Network, index: int, **changes: object) -> str:
    """Return the design of a network with one layer changed, which claims to be `network`'s."""
    layers = list(network.layers)
    layers[index] = replace(layers[index], **changes)  # type: ignore[arg-type]
    other = replace(network, layers=tuple(layers))
    (old,), (new,) = (
        [register.reset for register in registers(one) if register.name == "BUILD"]
        for one in (other, network)
    )
    text = verilog_text(other)
    assert text.count(f"32'd{old};") == 1
    return text.replace(f"32'd{old};", f"32'd{new};")


def never_fires(layer: Layer, neuron: int) -> Threshold:
    """Return the layer's neurons, one of which never fires."""
    assert isinstance(layer.neuron, Threshold)
    thresholds = layer.neuron.thresholds.copy()
    thresholds[neuron] = layer.reach + 1
    return Threshold(thresholds=thresholds)


def located(
    network: Network, text: str, setup: Setup, folder: Path, simulator: Simulator = "icarus"
) -> Verdict:
    """Return what is said of a design that differs."""
    folder.mkdir(exist_ok=True)
    verilog = folder / "altered.v"
    verilog.write_text(text)
    verdict = verify(
        network, verilog, images(network), setup, simulator, folder, processes=1, level="-O0"
    )
    assert not verdict.equal
    return verdict


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("icarus", marks=pytest.mark.icarus),
        pytest.param("verilator", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", ["coins", "never"])
def test_hidden_neuron_is_located(simulator: Simulator, name: str, tmp_path: Path) -> None:
    """A neuron that never fires is named, with the first image and member in which it should."""
    true = network(name)
    drawn = images(true)
    outputs = np.array(
        [
            [trace(true, drawn, image, member, 3)[1] for member in range(3)]
            for image in range(len(drawn))
        ]
    )
    count = (outputs > 0).sum((0, 1))
    neuron = int(np.where(count, count, count.max() + 1).argmin())
    fires = outputs[..., neuron] > 0
    text = altered(true, 1, neuron=never_fires(true.layers[1], neuron))
    verdict = located(true, text, Setup(members=3, stalls=20), tmp_path, simulator)
    image, member = np.argwhere(fires)[0].tolist()
    found = verdict.difference
    assert found is not None
    assert (found.image, found.member) == (image, member)
    assert (found.layer, found.neuron) == ("hidden_1", neuron)
    assert (found.expected, found.got) == (1, -1)
    assert verdict.comparison is not None
    assert verdict.comparison.wrong_members == fires.sum()
    assert verdict.comparison.first_wrong == (image, member)


@pytest.mark.icarus
def test_output_neuron_is_located(tmp_path: Path) -> None:
    true = network("coins")
    logit = true.output
    offset = logit.offset.copy()
    offset[2] += 1
    text = altered(true, 2, neuron=replace(logit, offset=offset))
    found = located(true, text, Setup(members=2), tmp_path).difference
    assert found is not None
    assert (found.image, found.member, found.layer, found.neuron) == (0, 0, "output", 2)
    assert found.expected == logits(true, images(true), 2)[0, 0, 2]
    assert found.got == found.expected + 1


@pytest.mark.icarus
def test_first_layer_is_located(tmp_path: Path) -> None:
    """Wrong codes of one column are found in that column, in the layer that runs once an image."""
    true = network("stratified")
    codes = true.layers[0].codes.copy()
    codes[:, 5] = 1 - codes[:, 5]
    text = altered(true, 0, codes=codes)
    found = located(true, text, Setup(members=2), tmp_path).difference
    assert found is not None
    assert (found.member, found.layer, found.neuron) == (0, "hidden_0", 5)
    expected = trace(true, images(true), found.image, 0, 2)[0][5]
    assert (found.expected, found.got) == (expected, -expected)


@pytest.mark.icarus
def test_wrong_packet_of_right_logits(tmp_path: Path) -> None:
    """Where every layer is right, no neuron is blamed."""
    coins = network("coins")
    text, count = re.subn(r"\$signed\(i__payload\) > ", "$signed(i__payload) >= ", healthy())
    assert count == 1
    verdict = located(coins, text, Setup(members=5), tmp_path)
    assert verdict.comparison is not None
    assert verdict.comparison.wrong_images
    assert (verdict.comparison.wrong_members, verdict.difference, verdict.stopped) == (0, None, "")


@pytest.mark.icarus
def test_hang_is_located(tmp_path: Path) -> None:
    """A core that stands still is cut off; the layer that gave nothing is named."""
    coins = network("coins")
    head = "module \\random_network.data_path.hidden_1.neurons "
    before, after = healthy().split(head)
    after, count = re.subn(r"assign moves = [^;]+;", "assign moves = 1'h0;", after, count=1)
    assert count == 1
    verdict = located(coins, before + head + after, Setup(members=2), tmp_path)
    assert verdict.stopped.startswith("nothing moved for")
    assert verdict.difference is not None
    assert (verdict.difference.layer, verdict.difference.neuron) == ("hidden_1", 0)
    assert verdict.difference.got is None


def test_comparison_counts() -> None:
    """Each field of a packet matters, and a wrong member counts once."""
    golden = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    right = packets(golden, True)
    assert compare(Outcome(fields=right, members=3, parts=(), seconds=1), golden).equal
    for name, values in right.items():
        wrong = values.copy()
        wrong[1] += 1
        outcome = Outcome(fields={**right, name: wrong}, members=3, parts=(), seconds=1)
        result = compare(outcome, golden)
        assert not result.equal
        assert result.wrong_images == (1,)
        assert result.members == 6
        assert result.wrong_members == (3 if name == "member_logits" else 0)
    nothing = {name: values[:0] for name, values in right.items()}
    outcome = Outcome(fields=nothing, members=3, parts=(), seconds=1)
    assert not compare(outcome, golden[:0]).equal


@pytest.mark.icarus
def test_bad_verilog(tmp_path: Path) -> None:
    bad = tmp_path / "bad.v"
    bad.write_text("module random_network(;")
    with pytest.raises(BuildError, match=r"bad\.v must compile in icarus, not fail: .*error"):
        build("random_network", bad, "icarus", tmp_path / "build")
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["icarus.log"]


@pytest.mark.icarus
def test_builds_are_found_again() -> None:
    """The same content is one build; another probe or level is another."""
    coins = network("coins")
    verilog = design(coins, "coins")
    first, again, other = (
        build(coins.name, verilog, "icarus", FOLDER / "builds", probes=probes)
        for probes in ("", "", "// other")
    )
    assert first == again
    assert first.folder != other.folder
