"""The command line: `bbnn COMMAND`. One module per command; errors are one line and exit with 2."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from bbnn.errors import InputError

COMMANDS = {
    "info": "Show a model: layers, codes, folding, cycles, memory.",
    "evaluate": "Measure accuracy and uncertainty with the golden model.",
    "generate": "Write the Verilog, the memory images and the manifest.",
    "simulate": "Compare the generated Verilog with golden, every logit of every member.",
    "cycles": "Count what skipping zero row groups saves on real images.",
    "fold": "Choose the lanes of every layer for a part and a rate.",
    "stream": "Project the rate of a network whose codes come from memory.",
    "registers": "Give a model's hardware registers for corrections and early exit.",
    "synth": "Synthesize for an FPGA part and print what it uses.",
    "bitstream": "Build the bitstream of a board, with open tools or Vivado.",
    "flash": "Load a bitstream into a board's FPGA.",
    "deploy": "Write the folder that goes to a board.",
    "verify": "Run images through the driver, simulated or on a board, against golden.",
    "toolchain": "Install the open tools that build bitstreams.",
    "demo": "Do all of the above on the shipped network and real images.",
    "project": "Project area, energy and efficiency in PCM, MTJ, SRAM or an FPGA.",
    "headlines": "Hold the papers' headline ratios beside this project's.",
    "power": "Estimate the FPGA power of the generated design from its activity.",
    "device": "Measure what PCM or MTJ devices cost, over time and over chips.",
    "study": "Measure what noise planes, members and early exit cost.",
    "convert": "Turn a quantised network into a spiking one.",
    "sparsify": "Sample only the layers and rows that are worth it.",
    "prune": "Leave out the rows of pixels that are never lit.",
    "data": "Find or fetch a data set and check its checksums.",
    "train": "Train a shipped network again.",
    "report": "Draw all that is known of a model on one HTML page.",
    "bench": "Measure speed and area against a baseline.",
    "doctor": "List the tools, their versions and what is missing.",
}
"""Name and one-line help of every command; each lives in the module `bbnn.cli.NAME`."""


class Commands(click.Group):
    """A group that imports a command's module only when it is asked for, so `--help` is quick.

    commands_by_name : name and one-line help of each. prefix : of the names of their modules.
    """

    def __init__(
        self, *arguments: Any, commands_by_name: Mapping[str, str], prefix: str, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.commands_by_name, self.prefix = commands_by_name, prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_by_name:
            return None
        module = importlib.import_module(self.prefix + cmd_name.replace("-", "_"))
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_by_name.items()))


@click.command(
    cls=Commands,
    commands_by_name=COMMANDS,
    prefix="bbnn.cli.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="bbnn")
def group() -> None:
    """Generate Bayesian binary neural-network accelerators and prove them bit for bit.

    Example: bbnn demo
    """


def emit(result: Any) -> None:
    """Print `result` as JSON, the answer of `--json`."""
    click.echo(json.dumps(result, indent=2, allow_nan=False))


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        group()
    except InputError as error:
        click.echo(f"bbnn: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise
        reason = f"{error.filename} must be usable, not refused: {error.strerror}"
        click.echo(f"bbnn: {reason}", err=True)
        sys.exit(2)
