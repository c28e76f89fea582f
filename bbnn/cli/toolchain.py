"""`bbnn toolchain`: place and route for Zynq-7000 with open tools, installed without root."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bbnn.cli import emit

if TYPE_CHECKING:
    from boards.toolchain.programs import Toolchain


@click.group()
def command() -> None:
    """Install nextpnr and Project X-Ray's tools and database for `bbnn bitstream`.

    Example: bbnn toolchain install
    """


@command.command()
@click.option("--mirror", help="Address of a Debian mirror [the one that apt is set to].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def install(mirror: str | None, as_json: bool) -> None:
    """Unpack the packages of a Debian release into build/toolchain, unless they are there.

    They are fetched by apt, with its own settings and checked signatures, but without root and
    without changing the system. About 30 MB are fetched, and 220 MB kept.

    Example: bbnn toolchain install
    """
    from boards.toolchain.install import RELEASE
    from boards.toolchain.install import install as unpack
    from boards.toolchain.programs import FOLDER, PACKAGES

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("start", total=None)
        toolchain = unpack(
            FOLDER,
            mirror,
            lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total or None
            ),
        )
    if as_json:
        emit(
            {
                "folder": str(FOLDER),
                "release": RELEASE,
                "versions": dict(toolchain.versions),
                "differs_from_tested": {
                    name: {"version": version, "tested": tested}
                    for name, (version, tested) in toolchain.differences.items()
                },
            }
        )
    else:
        show(toolchain, FOLDER, PACKAGES)


def show(toolchain: Toolchain, folder: Path, packages: dict[str, str]) -> None:
    """Print the versions of the tools, and which are not those that were tested."""
    table = Table("package", "version", "tested with", title=f"open toolchain in {folder}")
    for name, tested in packages.items():
        version, same = toolchain.versions.get(name, "none"), name not in toolchain.differences
        table.add_row(name, version, "the same" if same else f"[yellow]{tested}[/]")
    Console().print(table)
