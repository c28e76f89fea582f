"""`bbnn generate`: the files that an FPGA project needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from bbnn.cli import emit
from bbnn.cli.array import array_option, folder_for
from bbnn.model_file import load

if TYPE_CHECKING:
    from hdl.macro import Array


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME].")
@array_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead.")
def command(model: Path, output: Path | None, array: Array, as_json: bool) -> None:
    """Write the Verilog of MODEL, its memory images, manifest and interface page.

    With --array macro the sampled crossbars are black boxes, with a model of them for simulators.

    Example: bbnn generate models/fashion-mlp.safetensors -o build/fashion
    """
    from hdl.generate import generate

    network = load(model)
    folder = output or folder_for(network, array)
    console = Console(stderr=True)
    with console.status(f"writing the Verilog of {network.name}"):
        path = generate(network, folder, array)
    manifest = json.loads((folder / "manifest.json").read_text())
    if as_json:
        emit(manifest)
        return
    console = Console()
    console.print(f"[bold]{path}[/bold]  {path.stat().st_size:,} bytes")
    for name in [*manifest["sha256"], "manifest.json"]:
        if name != path.name:
            console.print(f"{folder / name}")
