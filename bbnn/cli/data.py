"""`bbnn data`: find or fetch a data set and check it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn.cli import emit
from bbnn.data import load
from bbnn.data.fetch import fetch
from bbnn.data.files import checked_content, locate, require_located
from bbnn.data.sets import DATA_SETS, SPLITS, DataSet, by_name


@click.command()
@click.argument("name", type=click.Choice(list(DATA_SETS)))
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Look for the set's files here and nowhere else.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, folder: Path | None, as_json: bool) -> None:
    """Find a data set, or fetch it into build/data, and check its checksums.

    Looked for in $BBNN_DATA, build/data and the system's data sets, in this order.

    Example: bbnn data fashion-mnist
    """
    data_set = by_name(name)
    place = require_located(data_set, folder) if folder else locate(data_set)
    if place is None:
        with Console(stderr=True).status(f"Fetching {name}"):
            place = fetch(name)
    result = _checked(place, data_set)
    if as_json:
        emit(result)
    else:
        _print(result)


def _checked(place: Path, data_set: DataSet) -> dict[str, Any]:
    """Return what there is to tell; a wrong checksum raises `InputError` on the way."""
    files = []
    for stem, md5 in data_set.md5.items():
        path, raw = checked_content(place, data_set, stem)
        files.append({"path": str(path), "content_bytes": len(raw), "content_md5": md5})
    counts = {
        split: np.bincount(load(data_set.name, split, place)[1], minlength=10).tolist()
        for split in SPLITS
    }
    return {
        "name": data_set.name,
        "folder": str(place),
        "files": files,
        "classes": list(data_set.classes),
        "images_per_class": counts,
        "checksums_ok": True,
    }


def _print(result: dict[str, Any]) -> None:
    console = Console()
    files = Table("file", "content MD5", title=f"{result['name']} in {result['folder']}")
    for file in result["files"]:
        files.add_row(Path(file["path"]).name, f"{file['content_md5']}  ok")
    console.print(files)
    counts = result["images_per_class"]
    classes = Table("class", *SPLITS, title="images per class")
    for index, title in enumerate(result["classes"]):
        classes.add_row(title, *(str(counts[split][index]) for split in SPLITS))
    classes.add_section()
    classes.add_row("all", *(str(sum(counts[split])) for split in SPLITS))
    console.print(classes)
