"""A network's whole story as one HTML page that needs no network, no script and no other file.

It is drawn from the JSON of the other commands and computes nothing again: the same JSON gives the
same bytes. A section whose command has not been run says so, and with which line to run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.page import charts, evaluation, projection
from bbnn.page.crossbars import crossbars
from bbnn.page.names import named, percent, plain
from bbnn.page.sources import SOURCES, Told

__all__ = ["render"]

KINDS = (("independent", "ink"), ("stratified", "accent"))
"""Of members in a study, and the colours of their lines."""


def render(
    network: Network, info: dict[str, Any], told: Mapping[str, Told], model: Path, folder: Path
) -> str:
    """Return the page.

    info : the JSON of `bbnn info`. told : that of the sources, by name, as far as there is any.
    model, folder : how the page calls the model's file and the folder of the JSON.
    Raise `InputError` on JSON that lacks what its command prints.
    """
    sections: dict[str, Callable[[Network, Told], dict[str, Any]]] = {
        "evaluate": evaluation.section,
        "members": _members,
        "cycles": _cycles,
        "synth": _synth,
        "project": projection.section,
    }
    drawn, commands = {}, {}
    for name, source in SOURCES.items():
        words = " ".join(("bbnn", *source.words))
        with _as_printed(f"`{words} --json` prints it", folder / f"{name}.json"):
            commands[name] = source.command(model, told.get(name))
            if name in told:
                drawn[name] = sections[name](network, told[name])
    environment = Environment(
        loader=PackageLoader("bbnn.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "named": named, "percent": percent}
    height, width, channels = info["input_shape"]
    chain = crossbars(network, info)
    template = environment.get_template("page.html")
    with _as_printed("the commands print it", folder):
        return template.render(
            info=info,
            drops=any(layer["drawn_by"] != "fixed" for layer in chain["layers"]),
            title=plain(info["name"]),
            pixels=f"{height} × {width} {'pixels' if channels == 1 else f'× {channels} values'}",
            chain=chain,
            told=told,
            drawn=drawn,
            commands=commands,
            runs={
                name: f"{source.command(model)} > {folder / source.name}.json"
                for name, source in SOURCES.items()
            },
            model=str(model),
        )


@contextmanager
def _as_printed(words: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong with JSON of another form into `InputError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, UndefinedError) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path} must be as {words}, not this: {told}") from None


def _members(network: Network, told: Told) -> dict[str, Any]:
    lines = [(kind, style, told[kind]["nll"]) for kind, style in KINDS]
    return {
        "needed": told["needed"],
        "chart": charts.curves("NLL over the number of members", told["members"], lines),
    }


def _cycles(network: Network, told: Told) -> dict[str, Any]:
    stages = told["stages"]
    slowest = max(stages, key=lambda name: stages[name])
    saves = [row for row in told["layers"] if row["mean"] < row["without"]]
    return {
        "slowest": slowest,
        "most": stages[slowest],
        "chart": charts.bars(
            "Cycles of each stage for one image",
            [(plain(name), f"{count:,}", count) for name, count in stages.items()],
            most=stages[slowest],
            loud=plain(slowest),
        ),
        "passes": charts.passes("Cycles of a pass, zeros skipped", told["layers"])
        if saves
        else None,
    }


def _synth(network: Network, told: Told) -> dict[str, Any]:
    rows = [
        (
            row["name"],
            f"{row['used']:,} of {row['available']:,}, {percent(row['share'])}",
            row["share"],
        )
        for row in told["resources"]
    ]
    fullest = max(rows, key=lambda row: row[2])
    return {
        "part": told["part"],
        "fullest": fullest[0],
        "chart": charts.bars(
            "Share of the part's resources", rows, most=1, loud=fullest[0], limit=True
        ),
    }
