"""`bbnn bench lanes`: LUTs of a lane, sampling and counting included, against a naive one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, get_args

import click
from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bbnn.cli import emit
from hdl.lanes import DriveKind, Lanes
from hdl.verilog import verilog_of

BITS = (0, 1, 2, 4, 8)
PART = "xc7z020clg400-1"


class Naive(wiring.Component):
    """Lanes as one would write them first: a comparator a lane and a tree of additions a column.

    A weight is +1 if its own 8-bit random word is below its 9-bit code. The words are inputs: the
    LUTs to make so many random bits are not counted against it.
    """

    drive: Signal
    driven: Signal
    codes: data.View
    words: data.View
    counts: data.View

    def __init__(self, *, lanes_in: int, lanes_out: int, drive_kind: DriveKind) -> None:
        self.lanes_in, self.lanes_out, self.drive_kind = lanes_in, lanes_out, drive_kind
        lanes = lanes_in * lanes_out
        counts = data.ArrayLayout(unsigned(bits_for(lanes_in)), lanes_out)
        super().__init__(
            {
                "drive": In(lanes_in),
                **({"driven": In(lanes_in)} if drive_kind == "masked" else {}),
                "codes": In(data.ArrayLayout(9, lanes)),
                "words": In(data.ArrayLayout(8, lanes)),
                "counts": Out(counts),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for column in range(self.lanes_out):
            lanes: list[Value] = []
            for row in range(self.lanes_in):
                index = row * self.lanes_out + column
                lane = Signal(name=f"lane_{row}_{column}")
                weight = self.words[index] < self.codes[index]
                drive = self.drive[row]
                same = drive & weight if self.drive_kind == "unsigned" else ~(drive ^ weight)
                m.d.comb += lane.eq(
                    self.driven[row] & same if self.drive_kind == "masked" else same
                )
                lanes.append(lane)
            m.d.comb += self.counts[column].eq(_sum(lanes))
        return m


def _sum(values: list[Value]) -> Value:
    half = len(values) // 2
    return _sum(values[:half]) + _sum(values[half:]) if half else values[0]


@click.command()
@click.option("--lanes-in", default=64, type=click.IntRange(1, 1024), show_default=True)
@click.option("--lanes-out", default=16, type=click.IntRange(1, 1024), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(lanes_in: int, lanes_out: int, as_json: bool) -> None:
    """Synthesize lanes of 0 to 8 probability bits and print their LUTs, per lane.

    For drives of bits, of signs, and of signs that padding or dropout can turn into 0 (masked).
    Combinational, so that nothing but LUTs and carry chains is counted. The naive lanes compare a
    code with an independent 8-bit word each, and add with `+`.

    Example: bbnn bench lanes --lanes-in 32 --lanes-out 8
    """
    shape = {"lanes_in": lanes_in, "lanes_out": lanes_out}
    runs: list[tuple[DriveKind, int | None]] = [
        (kind, bits) for kind in get_args(DriveKind) for bits in (None, *BITS)
    ]
    naive = 0.0
    results = []
    with tempfile.TemporaryDirectory() as folder:
        bar = track(runs, "synthesizing", console=Console(stderr=True), transient=True)
        for kind, bits in bar:
            lut, carry4 = measure(design(lanes_in, lanes_out, kind, bits), Path(folder))
            each = lut / (lanes_in * lanes_out)
            if bits is None:
                naive = each
            results.append(
                {
                    "drive": kind,
                    "probability_bits": bits,
                    "lut": lut,
                    "carry4": carry4,
                    "lut_per_lane": round(each, 3),
                    "naive_by_this": round(naive / each, 2),
                }
            )
    result = {**shape, "results": results}
    if as_json:
        emit(result)
    else:
        show(result)


def design(lanes_in: int, lanes_out: int, kind: DriveKind, bits: int | None) -> wiring.Component:
    """Return lanes of so many probability bits with one noise bit each, or the naive ones."""
    if bits is None:
        return Naive(lanes_in=lanes_in, lanes_out=lanes_out, drive_kind=kind)
    return Lanes(
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        probability_bits=bits,
        row_bits=bits,
        drive_kind=kind,
    )


def measure(component: wiring.Component, folder: Path) -> tuple[int, int]:
    """Return the LUTs and CARRY4s that `component` takes."""
    from boards.synthesis import synthesize

    verilog = folder / "lanes.v"
    verilog.write_text(verilog_of(component, "lanes"))
    resources = synthesize(verilog, "lanes", PART, folder / "synthesis")
    return resources.lut, resources.carry4


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    title = "{lanes_in} rows by {lanes_out} columns".format(**result)
    table = Table("drive", "weights", title=title)
    for heading in ("LUT", "CARRY4", "LUT a lane", "naive / this"):
        table.add_column(heading, justify="right")
    for row in result["results"]:
        bits = row["probability_bits"]
        table.add_row(
            row["drive"],
            "naive, 8-bit words" if bits is None else f"{bits} probability bits",
            f"{row['lut']:,}",
            f"{row['carry4']:,}",
            f"{row['lut_per_lane']:.2f}",
            f"{row['naive_by_this']:.2f}",
            end_section=bits == BITS[-1],
        )
    Console().print(table)
