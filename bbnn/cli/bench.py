"""`bbnn bench`: measurements against a baseline, in one run on this machine."""

from __future__ import annotations

import click

from bbnn.cli import Commands

BENCHES = {
    "golden": "Speed of the golden model against plain float matrix products.",
    "lanes": "LUT per lane after synthesis, against a naive adder tree with an 8-bit comparator.",
    "simulate": "Speed of the simulated Verilog in cycles and image-members per second.",
}
"""Name and one-line help; each lives in the module `bbnn.cli.bench_NAME`."""


@click.command(cls=Commands, commands_by_name=BENCHES, prefix="bbnn.cli.bench_")
def command() -> None:
    """Measure speed and area against a baseline.

    Example: bbnn bench lanes
    """
