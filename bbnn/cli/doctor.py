"""`bbnn doctor`: which tools are here, which are missing, and what mends that."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bbnn import tools
from bbnn.cli import emit
from bbnn.errors import InputError

STYLES = {"ok": "green", "optional": "yellow", "missing": "bold red"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is known of one tool.

    status : "optional" means not here, and not needed for the demo and the fast tests.
    version, where : None if the tool is not here.
    """

    tool: str
    status: Literal["ok", "missing", "optional"]
    version: str | None
    where: str | None
    purpose: str
    remedy: str


def examine(name: str) -> Finding:
    """Return the finding for one key of `tools.TOOLS`."""
    tool = tools.TOOLS[name]
    status: Literal["ok", "missing", "optional"]
    try:
        status, version, where = "ok", tools.version(name), str(tools.find(name))
    except InputError:
        status, version, where = "missing" if tool.required else "optional", None, None
    return Finding(
        tool=name,
        status=status,
        version=version,
        where=where,
        purpose=tool.purpose,
        remedy=tool.remedy,
    )


def shorten(where: str) -> str:
    """Return `where` without what every path inside this Python environment has in common."""
    packages = Path(sysconfig.get_path("purelib"))
    for folder in (packages, Path(sys.prefix)):
        if Path(where).is_relative_to(folder):
            return str(Path(where).relative_to(folder.parent))
    return where


def show(findings: list[Finding]) -> None:
    """Print a table of all findings, and below it how to mend what is not here."""
    table = Table(box=None, pad_edge=False)
    for heading in ("tool", "status", "version"):
        table.add_column(heading, no_wrap=True)
    table.add_column("where", overflow="fold")
    for item in findings:
        status = f"[{STYLES[item.status]}]{item.status}[/]"
        where = escape(shorten(item.where)) if item.where else f"for {item.purpose}"
        table.add_row(item.tool, status, item.version or "", where)
    console = Console()
    console.print(f"Python environment: {sys.prefix}\n", soft_wrap=True, highlight=False)
    console.print(table)
    absent = [item for item in findings if item.where is None]
    if absent:
        console.print("\nTo install:")
    for item in absent:
        console.print(f"  {item.tool:<10} {item.remedy}", highlight=False, markup=False)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(as_json: bool) -> None:
    """List the tools, their versions and what is missing; exit with 2 if a required one is.

    \b
    Example: bbnn doctor
    """
    findings = [examine(name) for name in tools.TOOLS]
    if as_json:
        emit([asdict(item) for item in findings])
    else:
        show(findings)
    missing = [item.tool for item in findings if item.status == "missing"]
    if missing:
        raise InputError(f"required tools must be installed, not missing: {', '.join(missing)}")
