"""`bbnn report`: a model's figures and pictures as one HTML page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bbnn.cli import emit
from bbnn.cli.info import summary
from bbnn.errors import InputError, require
from bbnn.model_file import load
from bbnn.page import render
from bbnn.page.sources import SOURCES, Source, read

Run = Literal["fast", "all", "none"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The page [build/report/NAME.html]."
)
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of the other commands' JSON: evaluate.json, members.json, cycles.json, synth.json,"
    " project.json [build/report/NAME].",
)
@click.option(
    "--run",
    type=click.Choice(["fast", "all", "none"]),
    default="fast",
    show_default=True,
    help="Which commands to run where the folder lacks their JSON; it is kept there. fast leaves"
    " out synth and study members.",
)
@click.option("--json", "as_json", is_flag=True, help="Print which files were read as JSON.")
def command(model: Path, output: Path | None, folder: Path | None, run: Run, as_json: bool) -> None:
    """Draw all that is known of MODEL on one HTML page, which needs no network.

    It shows the JSON that the other commands print, and the command behind each figure; a section
    without JSON says how to come by it, and one whose command refuses MODEL stays so. The same JSON
    makes the same page.

    Example: bbnn report models/fashion-mlp.safetensors --run all
    """
    network = load(model)
    info = summary(network)
    folder = folder or Path("build/report") / network.name
    output = output or Path("build/report") / f"{network.name}.html"
    require(not output.is_dir(), "--output", "a file", str(output))
    told = read(folder, info["digest"])
    refused: dict[str, str] = {}
    missing = [each for each in SOURCES.values() if each.name not in told and _runs(each, run)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        refused = fill(missing, model, folder)
        told = read(folder, info["digest"])
    page = render(network, info, told, model, folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(output, page.encode())
    result = {
        "model": network.name,
        "digest": info["digest"],
        "page": str(output),
        "read": [str(folder / f"{name}.json") for name in told],
        "refused": refused,
        "missing": [each.command(model) for each in SOURCES.values() if each.name not in told],
    }
    if as_json:
        emit(result)
    else:
        for name, line in refused.items():
            click.echo(f"refused: bbnn {name}: {line}", err=True)
        for line in result["missing"]:
            click.echo(f"not run: {line}")
        click.echo(result["page"])


def _runs(source: Source, run: Run) -> bool:
    return run == "all" or (run == "fast" and source.quick)


def fill(sources: Sequence[Source], model: Path, folder: Path) -> dict[str, str]:
    """Run commands and keep their JSON in `folder`, under a bar on stderr.

    Return the lines of those that refuse the model, by their words.
    """
    refused = {}
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
    bars = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    with bars as bar:
        task = bar.add_task("", total=len(sources))
        for source in sources:
            words = " ".join(source.words)
            bar.update(task, description=f"bbnn {words}")
            try:
                _write(folder / f"{source.name}.json", _printed(source, model))
            except InputError as error:
                refused[words] = str(error)
            bar.advance(task)
    return refused


def _printed(source: Source, model: Path) -> bytes:
    command = [sys.executable, "-m", "bbnn", *source.words, str(model), "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 2:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise InputError(last.removeprefix("bbnn: "))
    done.check_returncode()
    return done.stdout


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
