"""`bbnn flash`: a bitstream onto a board through its JTAG cable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bbnn.cli import emit
from bbnn.errors import require


@click.command()
@click.argument("bit", type=click.Path(path_type=Path))
@click.option("--board", "board_name", default="pynq-z2", show_default=True, help="Board.")
@click.option("--cable", help="openFPGALoader's name of the cable [the board's own].")
@click.option("--dry-run", is_flag=True, help="Check file, tool and board; touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(bit: Path, board_name: str, cable: str | None, dry_run: bool, as_json: bool) -> None:
    """Load the bitstream BIT into a board's FPGA through openFPGALoader.

    The file must be for the board's part, and the part must answer on the cable. The bitstream
    goes to SRAM only: it is lost at power-off. The processor's clocks and memory are set up by
    whatever boots on it, so boot Linux first.

    Example: bbnn flash build/fashion_mlp/pynq-z2/fashion_mlp.bit --board pynq-z2 --dry-run
    """
    from boards.platforms import board_named
    from boards.shell.bit_header import require_part
    from boards.shell.loader import Loader

    board = board_named(board_name)
    header = require_part(bit, board.part, board.title)
    known = board.loader is not None or cable is not None
    reason = f"given for {board.title}, which openFPGALoader does not know"
    require(known, "--cable", reason, cable)
    loader = Loader.found(board.loader, cable)
    result: dict[str, Any] = {
        "bitstream": str(bit),
        "design": header.design.split(";")[0],
        "part": header.part,
        "bytes": header.length,
        "board": board.title,
        "idcode": f"{board.idcode:#010x}",
        "jumper": board.jumper,
        "tool": loader.version,
        "command": loader.load_command(bit),
        "dry_run": dry_run,
    }
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not as_json:
        show(result)
    if not dry_run:
        with console.status(f"looking for {board.title}"):
            loader.require_idcode(board.idcode, board.title)
        with console.status(f"loading {bit.name}"):
            loader.load(bit)
    if as_json:
        emit(result)
    elif dry_run:
        Console(highlight=False).print("dry run: nothing was touched")
    else:
        Console(highlight=False).print("[green]loaded[/green]; SRAM only, lost at power-off")


def show(result: dict[str, Any]) -> None:
    """Print what is about to be done."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]{bitstream}[/bold]: {design}, {part}, {bytes:,} bytes".format(**result))
    console.print("board: {board}, IDCODE {idcode}; {jumper}".format(**result))
    console.print("SRAM only, lost at power-off")
    console.print("tool: {tool}".format(**result))
    console.print(" ".join(str(word) for word in result["command"]))
