"""`bbnn synth`: what a network takes of an FPGA part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bbnn.cli import emit
from bbnn.cli.array import array_option, folder_for
from bbnn.model_file import digest, load

if TYPE_CHECKING:
    from boards.synthesis import Resources
    from hdl.macro import Array


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--part", default="xc7z020clg400-1", show_default=True, help="FPGA part.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME].")
@array_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, part: str, output: Path | None, array: Array, as_json: bool) -> None:
    """Synthesize the Verilog of MODEL with Yosys and print what it takes of a part.

    Out of context, before placement. Exits with 2 if a DSP slice is used. With --array macro it is
    what stands around the crossbars that are black boxes.

    Example: bbnn synth models/fashion-mlp.safetensors --part xc7z010clg400-1
    """
    from boards.parts import part_named
    from boards.synthesis import synthesize
    from hdl.generate import generate

    network = load(model)
    part_named(part)
    folder = output or folder_for(network, array)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("write the Verilog")
        verilog = generate(network, folder, array)
        bar.update(task, description="start Yosys")
        resources = synthesize(
            verilog,
            network.name,
            part,
            folder / "synthesis",
            lambda name: bar.update(task, description=f"Yosys: {name}"),
        )
    if as_json:
        named = {"network": network.name, "digest": digest(network)}
        emit({**named, **resources.as_json(), "files": str(folder / "synthesis")})
    else:
        show(resources, network.name, folder / "synthesis")
    resources.require_no_dsp()


def show(resources: Resources, name: str, folder: Path) -> None:
    """Print the table of resources."""
    table = Table("resource", title=f"{name} on {resources.part.name}")
    for heading in ("used", "available", "share"):
        table.add_column(heading, justify="right")
    for row in resources.rows:
        table.add_row(row.name, f"{row.used:,}", f"{row.available:,}", f"{row.share:.1%}")
    console = Console()
    console.print(table)
    if resources.macro:
        console.print(f"around {resources.macro} crossbar macros, black boxes", highlight=False)
    console.print(f"files: {folder}", highlight=False)
