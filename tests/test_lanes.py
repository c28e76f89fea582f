# amaranth: UnusedElaboratable=no
"""Lanes sample, multiply and count as docs/numbers.md says, in Amaranth and in Verilog."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from bbnn import tools
from bbnn.cli.bench_lanes import Naive
from bbnn.errors import InputError
from hdl.lanes import DriveKind, Lanes
from hdl.verilog import verilog_of

Array = np.ndarray[Any, Any]
KINDS: tuple[DriveKind, ...] = get_args(DriveKind)
SHAPES = [(1, 1), (5, 7), (21, 3)]
NOISES = [(0, 0), *((b, k) for b in (1, 2, 4, 8) for k in (b, 2 * b, 2 * b + 1))]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Inputs of S rows and P columns: drives (S,), codes (S, P), noise (S, K) and (P, b)."""

    drive: Array
    driven: Array
    codes: Array
    row_noise: Array
    column_noise: Array

    def counts(self, kind: DriveKind) -> list[int]:
        """Return what the columns must count, lane by lane and bit by bit."""
        rows, columns = self.codes.shape
        row_bits, bits = self.row_noise.shape[1], self.column_noise.shape[1]
        counts = [0] * columns
        for s, p in itertools.product(range(rows), range(columns)):
            u = 0
            for t in range(bits):
                place = (p * bits + t) % row_bits
                u += int(self.row_noise[s, place] != self.column_noise[p, t]) * 2**t
            weight = u < self.codes[s, p]
            lane = weight and self.drive[s] if kind == "unsigned" else weight == self.drive[s]
            counts[p] += bool(lane and (kind != "masked" or self.driven[s]))
        return counts

    def inputs(self, kind: DriveKind) -> dict[str, int]:
        """Return the words of the ports, as the layouts in `Lanes` say."""
        planes = np.arange(self.column_noise.shape[1] + 1)
        codes = self.codes[:, None, :] >> planes[:, None] & 1
        words = {"drive": word(self.drive), "codes": word(codes)}
        if kind == "masked":
            words["driven"] = word(self.driven)
        if self.column_noise.size:
            words["row_noise"] = word(self.row_noise)
            words["column_noise"] = word(self.column_noise.T)
        return words


def word(bits: Array) -> int:
    return sum(bit << i for i, bit in enumerate(bits.ravel().tolist()))


def random_case(rng: np.random.Generator, rows: int, columns: int, b: int, k: int) -> Case:
    """Return random inputs; certain weights are as frequent as all others together."""
    codes = rng.integers(0, 2**b + 1, (rows, columns))
    certain = rng.integers(0, 2, codes.shape) * 2**b
    return Case(
        drive=rng.integers(0, 2, rows),
        driven=rng.integers(0, 2, rows),
        codes=np.where(rng.integers(0, 2, codes.shape), codes, certain),
        row_noise=rng.integers(0, 2, (rows, k)),
        column_noise=rng.integers(0, 2, (columns, b)),
    )


def lanes(rows: int, columns: int, b: int, k: int, kind: DriveKind) -> Lanes:
    return Lanes(lanes_in=rows, lanes_out=columns, probability_bits=b, row_bits=k, drive_kind=kind)


def simulate(dut: wiring.Component, inputs: list[dict[str, int]], columns: int) -> list[list[int]]:
    """Return the counts for each set of port words."""
    counted: list[list[int]] = []

    async def testbench(ctx: Any) -> None:
        for words in inputs:
            for name, value in words.items():
                ctx.set(Value.cast(getattr(dut, name)), value)
            counts: Any = dut.counts  # type: ignore[attr-defined]
            counted.append([ctx.get(counts[p]) for p in range(columns)])

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()
    assert len(counted) == len(inputs) > 0
    return counted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("b", "k"), NOISES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_random_inputs(
    rows: int, columns: int, b: int, k: int, kind: DriveKind, rng: np.random.Generator
) -> None:
    cases = [random_case(rng, rows, columns, b, k) for _ in range(6)]
    got = simulate(lanes(rows, columns, b, k, kind), [case.inputs(kind) for case in cases], columns)
    assert got == [case.counts(kind) for case in cases]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("b", [0, 1, 2, 3, 4])
def test_every_input_of_one_lane(b: int, kind: DriveKind) -> None:
    # A column for every column noise.
    column_noise = np.arange(2**b)[:, None] >> np.arange(b) & 1
    cases = [
        Case(
            drive=np.array([drive]),
            driven=np.array([driven]),
            codes=np.full((1, 2**b), code),
            row_noise=(np.array([[noise]]) >> np.arange(b)) & 1,
            column_noise=column_noise,
        )
        for driven, drive, code, noise in itertools.product(
            (0, 1) if kind == "masked" else (1,), (0, 1), range(2**b + 1), range(2**b)
        )
    ]
    got = simulate(lanes(1, 2**b, b, b, kind), [case.inputs(kind) for case in cases], 2**b)
    assert got == [case.counts(kind) for case in cases]
    # A code is a probability, whatever the row noise: so many of the columns have weight +1.
    driven = [case.drive[0] and case.driven[0] for case in cases]
    ones = [sum(row) for row, drive in zip(got, driven, strict=True) if drive]
    assert ones == [code for code in range(2**b + 1) for _ in range(2**b)]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_counts_nothing(kind: DriveKind, rng: np.random.Generator) -> None:
    case = random_case(rng, 5, 4, 2, 3)
    neutral = int(kind == "sign")
    padded = Case(
        drive=np.append(case.drive, [neutral] * 3),
        driven=np.append(case.driven, [0] * 3),
        codes=np.vstack([case.codes, np.zeros((3, 4), int)]),
        row_noise=np.vstack([case.row_noise, rng.integers(0, 2, (3, 3))]),
        column_noise=case.column_noise,
    )
    got = simulate(lanes(8, 4, 2, 3, kind), [padded.inputs(kind)], 4)
    assert got == [case.counts(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_naive_lanes_of_the_bench_are_lanes(kind: DriveKind, rng: np.random.Generator) -> None:
    rows, columns = 11, 3
    inputs, want = [], []
    for _ in range(20):
        drive, driven = rng.integers(0, 2, (2, rows))
        codes = rng.integers(0, 257, (rows, columns))
        words = rng.integers(0, 256, (rows, columns))
        weights = words < codes
        lane = weights & drive[:, None] if kind == "unsigned" else weights == drive[:, None]
        if kind == "masked":
            lane &= driven[:, None] == 1
        want.append(lane.sum(axis=0).tolist())
        code_bits = codes[..., None] >> np.arange(9) & 1
        word_bits = words[..., None] >> np.arange(8) & 1
        stimulus = {"drive": word(drive), "codes": word(code_bits), "words": word(word_bits)}
        inputs.append(stimulus | ({"driven": word(driven)} if kind == "masked" else {}))
    dut = Naive(lanes_in=rows, lanes_out=columns, drive_kind=kind)
    assert simulate(dut, inputs, columns) == want


BENCH = """
module bench;
  reg [{inputs}:0] stimulus [0:{last}];
  reg [{outputs}:0] expected [0:{last}];
  wire [{outputs}:0] counts;
  integer i, wrong;
  reg [{inputs}:0] now;
  lanes dut({ports}, .counts(counts));
  initial begin
    $readmemh("stimulus.hex", stimulus);
    $readmemh("expected.hex", expected);
    wrong = 0;
    for (i = 0; i <= {last}; i = i + 1) begin
      now = stimulus[i];
      #1 if (counts !== expected[i]) wrong = wrong + 1;
    end
    $display("%0d wrong of %0d", wrong, i);
  end
endmodule
"""


def run_icarus(
    text: str, cases: list[Case], kind: DriveKind, want: list[int], outputs: int, folder: Path
) -> str:
    """Return what a bench around the Verilog `text` of `Lanes` says."""
    at, ports, stimulus = 0, [], [0] * len(cases)
    example = cases[0]
    sizes = {
        "drive": example.drive.size,
        "driven": example.driven.size,
        "codes": example.codes.size * (example.column_noise.shape[1] + 1),
        "row_noise": example.row_noise.size,
        "column_noise": example.column_noise.size,
    }
    for name in example.inputs(kind):
        ports.append(f".{name}(now[{at + sizes[name] - 1}:{at}])")
        for i, case in enumerate(cases):
            stimulus[i] |= case.inputs(kind)[name] << at
        at += sizes[name]
    bench = BENCH.format(
        inputs=at - 1, outputs=outputs - 1, last=len(cases) - 1, ports=", ".join(ports)
    )
    for name, words in (("stimulus", stimulus), ("expected", want)):
        (folder / f"{name}.hex").write_text("".join(f"{value:x}\n" for value in words))
    (folder / "bench.v").write_text(text + bench)
    for command in (
        [tools.find("iverilog"), "-g2005", "-o", "bench.vvp", "bench.v"],
        ["vvp", "-n", "bench.vvp"],
    ):
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return told.stdout.strip()


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("rows", "columns", "b", "k", "kind"),
    [
        (13, 9, 1, 1, "sign"),
        (19, 5, 2, 5, "unsigned"),
        (7, 3, 0, 0, "sign"),
        (9, 5, 1, 1, "masked"),
    ],
)
def test_verilog_in_icarus(
    rows: int,
    columns: int,
    b: int,
    k: int,
    kind: DriveKind,
    rng: np.random.Generator,
    tmp_path: Path,
) -> None:
    cases = [random_case(rng, rows, columns, b, k) for _ in range(50)]
    width = rows.bit_length()
    want = [sum(count << width * p for p, count in enumerate(case.counts(kind))) for case in cases]
    text = verilog_of(lanes(rows, columns, b, k, kind), "lanes")
    outputs = width * columns
    assert run_icarus(text, cases, kind, want, outputs, tmp_path) == "0 wrong of 50"
    # The bench does compare.
    want[7] ^= 1
    assert run_icarus(text, cases, kind, want, outputs, tmp_path) == "1 wrong of 50"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lanes_in": 0}, r"^lanes_in must be an integer in 1\.\.65535, not 0$"),
        ({"lanes_out": 0}, r"^lanes_out must be an integer in 1\.\.65535, not 0$"),
        ({"probability_bits": 9}, r"^probability_bits must be an integer in 0\.\.8, not 9$"),
        ({"row_bits": 1}, r"^row_bits must be an integer in 2\.\.65535, not 1$"),
        (
            {"drive_kind": "trit"},
            r'^drive_kind must be "unsigned", "sign" or "masked", not \'trit\'$',
        ),
    ],
)
def test_rejects(wrong: dict[str, Any], message: str) -> None:
    right = {"lanes_in": 4, "lanes_out": 2, "probability_bits": 2, "row_bits": 2}
    with pytest.raises(InputError, match=message):
        Lanes(**{**right, "drive_kind": "sign", **wrong})
