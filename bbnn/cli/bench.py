"""`bbnn bench`: measurements against a baseline, in one run on this machine."""

from __future__ import annotations

import importlib

import click

BENCHES = {
    "golden": "Speed of the golden model against plain float matrix products.",
    "lanes": "LUT per lane after synthesis, against a naive adder tree with an 8-bit comparator.",
    "simulate": "Speed of the simulated Verilog in cycles and image-members per second.",
}


class Benches(click.Group):
    """Import a bench only when it is asked for; each lives in `bbnn.cli.bench_NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHES:
            return None
        command: click.Command = importlib.import_module(f"bbnn.cli.bench_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(BENCHES.items()))


@click.command(cls=Benches)
def command() -> None:
    """Measure speed and area against a baseline.

    Example: bbnn bench lanes
    """
