"""`bbnn bitstream`: from a model to the configuration of a board's FPGA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bbnn.cli import emit
from bbnn.errors import InputError, require
from bbnn.model_file import digest, load

if TYPE_CHECKING:
    from bbnn.description import Network
    from boards.platforms import Board


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", "board_name", default="pynq-z2", show_default=True, help="Board.")
@click.option("--toolchain", type=click.Choice(["open", "vivado"]), default="open")
@click.option("--clock", type=float, help="Clock of the core, MHz [100; the ULX3S's is 25].")
@click.option(
    "--seed",
    type=click.IntRange(1),
    help="Of nextpnr's placement [its own]: another one gives another Fmax.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder [build/NAME/BOARD, or BOARD-vivado].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    board_name: str,
    toolchain: str,
    clock: float | None,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Build the bitstream of MODEL for a board, with open tools or with Vivado.

    What is done is not done again: a second run starts where the first one was stopped. Logs stay
    in the folder. Exits with 2 if nextpnr's estimate, or Vivado's analysis, does not reach the
    clock; the bitstream is there all the same, for a slower one. Where Vivado is not on PATH, its
    scripts are written, an IP and a block design, to be run elsewhere.

    Example: bbnn bitstream models/fashion-mlp.safetensors --board pynq-z2
    """
    from boards import ecp5_flow, open_flow, vivado
    from boards.fit import TooLargeError, nearest_that_fits, part_of
    from boards.plan import shell_on, write_plan
    from boards.platforms import board_named
    from boards.toolchain.programs import Toolchain

    network = load(model)
    board = board_named(board_name)
    lattice = board.family == "ecp5"
    clock = board.clock_mhz if clock is None else clock
    if lattice:
        own = f"{board.clock_mhz} MHz, the oscillator of {board.title}"
        require(clock == board.clock_mhz, "--clock", own, clock)
        require(toolchain == "open", "--toolchain", f"open for {board.title}", toolchain)
    require(seed is None or toolchain == "open", "--seed", "absent for Vivado", seed)
    require(1 <= clock <= 250, "--clock", "1 to 250 MHz, as FCLK0 can be set", clock)
    installed = Toolchain.at() if toolchain == "open" and not lattice else None
    flow = vivado if toolchain == "vivado" else ecp5_flow if lattice else open_flow
    place = board.name if toolchain == "open" else f"{board.name}-{toolchain}"
    folder = output or Path("build") / network.name / place
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("write the Verilog", total=len(flow.STEPS))
        if toolchain == "vivado":
            vivado.write_files(network, board, clock, folder)
        else:
            write_plan(shell_on(board, network), board, 1e6 * clock, network.name, folder)
            # The driver would take what Vivado has left there for a description of this bitstream.
            (folder / f"{network.name}.hwh").unlink(missing_ok=True)

        def tell(done: int, what: str) -> None:
            bar.update(task, completed=done, description=what)

        try:
            if lattice:
                found = ecp5_flow.build(network.name, clock, folder, seed, tell).as_json()
            elif installed is not None:
                found = open_flow.build(
                    network.name, board.part, clock, folder, installed, seed, tell
                ).as_json()
            else:
                found = vivado.build(network.name, folder, tell)
        except TooLargeError as error:
            bar.update(task, description="look for a folding that fits", total=None)
            part = ecp5_flow.PART if lattice else part_of(board.part)
            raise InputError(f"{error}; {nearest_that_fits(network, part, error)}") from None
    about = describe(network, board, clock, toolchain, folder) | {"seed": seed} | found
    beside = folder / "bitstream.json.part"
    beside.write_text(json.dumps(about, indent=2) + "\n")
    beside.replace(folder / "bitstream.json")
    if as_json:
        emit(about)
    else:
        show(about, board)
    fmax = about["fmax_mhz"]
    whose = "nextpnr's estimate" if toolchain == "open" else about["fmax_is"]
    require(fmax is None or fmax >= clock, "--clock", f"at most {fmax} MHz, {whose}", clock)


def describe(
    network: Network, board: Board, clock: float, toolchain: str, folder: Path
) -> dict[str, Any]:
    """Return what was asked for; with what was found, it is written beside the bitstream."""
    return {
        "network": network.name,
        "model_digest": digest(network),
        "board": board.name,
        "part": board.part,
        "idcode": f"{board.idcode:#010x}",
        "clock_mhz": clock,
        "toolchain": toolchain,
        "bitstream": str(folder / f"{network.name}.bit"),
    }


def show(about: dict[str, Any], board: Board) -> None:
    """Print the table of resources, the clock and where the files are."""
    console = Console()
    if "resources" in about:
        table = Table("resource", title=f"{about['network']} on {board.title}, {board.part}")
        for heading in ("used", "available", "share"):
            table.add_column(heading, justify="right")
        for row in about["resources"]:
            used, available = row["used"], row["available"]
            table.add_row(row["name"], f"{used:,}", f"{available:,}", f"{used / available:.1%}")
        console.print(table)
    console.print(f"Fmax: {about['fmax_mhz']} MHz, {about['fmax_is']}", highlight=False)
    if "block_rams" in about:
        console.print(
            "read back from the file: "
            + (f"{about['bits']:,} of {about['bits']:,} bits, " if about["bits"] else "")
            + f"{about['block_rams']} of {about['block_rams']} block RAMs",
            highlight=False,
        )
    console.print(f"bitstream: {about['bitstream']}", highlight=False)
