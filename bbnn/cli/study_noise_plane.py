"""`bbnn study noise-plane`: what row bits and probability bits cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import device_table, emit, study_options
from bbnn.description import MAX_PROBABILITY_BITS
from bbnn.errors import require, require_int
from bbnn.model_file import load
from golden.network import checked_members
from golden.studies.figures import METRICS, spread
from golden.studies.noise_plane import NoisePlaneStudy, Plane, Point, planes, pooled
from golden.studies.words import TESTS, Sum

INDEPENDENT = "independent"
MAX_ROW_BITS = 64
MAX_LINES = 4
"""Values of b in one picture."""
EXPECTED = {"bias": 0.5, "runs": 0.5, "member runs": 0.5, "correlation": 0.0, "squared": 1.0}


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--row-bits", default="1,2,8,64,independent", show_default=True, help="K.")
@click.option("--probability-bits", default="1,2,4,8", show_default=True, help="b.")
@click.option("--members", type=int, help="Members per image [the model's own].")
@click.option(
    "--word-members", default=64, show_default=True, help="Test the words of so many members."
)
@click.option("--ood", help=f"{', '.join(data.OOD_NAMES)} [the other of mnist and fashion-mnist].")
@study_options.options(seeds=3)
def command(
    model: Path,
    row_bits: str,
    probability_bits: str,
    members: int | None,
    word_members: int,
    ood: str | None,
    seeds: int,
    seed: int,
    dataset: str | None,
    count: int | None,
    results: Path | None,
    scheduler: str | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure what the noise plane of MODEL costs: K random bits a row, b bits of probability.

    Each K with each b, over seeds, beside a word of its own for every weight ("independent"):
    accuracy, NLL, ECE, AUROC, and statistical tests of the words that neurons see. A K below b is
    raised to b. Codes of fewer bits than the model's are rounded to the nearest.

    Example: bbnn study noise-plane models/fashion-mlp.safetensors --probability-bits 1 --seeds 5
    """
    each_k = [
        None if text == INDEPENDENT else integer("--row-bits", text, MAX_ROW_BITS, INDEPENDENT)
        for text in parts(row_bits)
    ]
    each_b = [
        integer("--probability-bits", text, MAX_PROBABILITY_BITS)
        for text in parts(probability_bits)
    ]
    chosen = planes(each_b, each_k)
    few = picture is None or len(set(each_b)) <= MAX_LINES
    wanted = f"at most {MAX_LINES} where --report draws them"
    require(few, "--probability-bits", wanted, len(set(each_b)))
    numbers = study_options.numbers(seed, seeds)
    require_int("--word-members", word_members, 2, 10_000)
    study_options.require_picture(picture)
    network = load(model)
    study_options.require_sampled(network)
    members = checked_members(network, members)
    named, sets = study_options.sets_of(network, dataset, ood, count)
    study = NoisePlaneStudy(network=network, sets=sets, members=members, word_members=word_members)
    points = [Point(plane=plane, seed=number) for plane in chosen for number in numbers]
    settings = {**named, "members": members, "word_members": word_members}
    measured = study_options.measure(network, study, points, settings, results, scheduler)
    told = {
        "model": network.name,
        **settings,
        "seeds": numbers,
        "planes": [
            row(plane, [measured[Point(plane=plane, seed=number)] for number in numbers])
            for plane in chosen
        ],
    }
    if picture is not None:
        draw(picture, told)
    if as_json:
        emit(told)
    else:
        show(told)


def parts(text: str) -> list[str]:
    """Return what stands between the commas of a list."""
    return [part.strip() for part in text.split(",")]


def integer(option: str, text: str, most: int, other: str | None = None) -> int:
    """Return the integer 1..most that `text` is; raise `InputError` if it is not."""
    wanted = f"integers in 1..{most}" + (f" or {other}" if other else "") + ", with commas between"
    require(text.isascii() and text.isdecimal() and 1 <= int(text) <= most, option, wanted, text)
    return int(text)


def row(plane: Plane, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one plane's figures over its seeds, and the tests of its words by layer."""
    return {
        "probability_bits": plane.probability_bits,
        "row_bits": INDEPENDENT if plane.row_bits is None else plane.row_bits,
        **{metric: spread([result[metric] for result in results]) for metric in METRICS},
        "words": {
            layer: {name: outcome(name, each) for name, each in of.items()}
            for layer, of in pooled(results).items()
        },
    }


def outcome(name: str, each: Sum) -> dict[str, float | None]:
    """Return a test's outcome as JSON has it."""
    return {"mean": each.mean, "expected": EXPECTED[name], "z": each.z, "p": each.p}


def show(told: dict[str, Any]) -> None:
    """Print two tables: the figures over seeds, and the tests over all layers and seeds."""
    console = Console(highlight=False)
    console.print(
        f"[bold]{told['model']}[/] on {told['images']:,} images of {told['dataset']}, "
        f"{told['members']} members, {len(told['seeds'])} seeds; AUROC by entropy against "
        f"{told['ood']}\n"
    )
    rows = told["planes"]
    figures = Table("b", "K", box=None, pad_edge=False, header_style="bold")
    for heading in METRICS.values():
        figures.add_column(heading, justify="right")
    words = Table("b", "K", box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in TESTS:
        words.add_column(name, justify="right")
    words.add_row("", "", *(f"{EXPECTED[name]:g}" for name in TESTS))
    last = None
    for each in rows:
        if each["probability_bits"] != last:
            figures.add_section()
            words.add_section()
        last = each["probability_bits"]
        place = (str(last), str(each["row_bits"]))
        figures.add_row(*place, *(device_table.cell(each[metric]) for metric in METRICS))
        tests = each["words"]["all"]
        words.add_row(*place, *(cell(name, tests[name]) for name in TESTS))
    console.print(figures)
    console.print(
        f"\n[bold]words[/] that neurons see, of {told['word_members']} members a seed: what "
        "independent ones would give, then each mean with its z\n"
    )
    console.print(words)


def cell(name: str, test: Mapping[str, float | None]) -> str:
    """Return a test's mean and z as the table has them."""
    mean, z = test["mean"], test["z"]
    if mean is None or z is None:
        return "-"
    told = f"{mean:.4g}" if name == "squared" else f"{mean:.4f}"
    return f"{told} {z:+.{int(abs(z) < 99)}f}"


def draw(path: Path, told: dict[str, Any]) -> None:
    """Write the picture: each figure over K, a line for each b."""
    # Here, because it takes a second to import.
    from bbnn import panels

    rows = {(each["probability_bits"], each["row_bits"]): each for each in told["planes"]}
    found = {k for _, k in rows}
    cases = [*sorted(found - {INDEPENDENT}), *([INDEPENDENT] if INDEPENDENT in found else [])]
    widths = list(dict.fromkeys(b for b, _ in rows))

    def figures(b: int, k: int | str, metric: str) -> tuple[float, float]:
        if (b, k) not in rows:
            return np.nan, np.nan
        figure = rows[b, k][metric]
        return figure["mean"], figure["deviation"] or 0.0

    panels.draw(
        path,
        title=told["model"].replace("_", " "),
        subtitle=(
            f"noise planes of K bits a row, {len(told['seeds'])} seeds, {told['images']:,} images "
            f"of {told['dataset']}, {told['members']} members"
        ),
        cases=list(map(str, cases)),
        legend="b = ",
        panels=[
            panels.Panel(
                name=heading,
                series={str(b): np.array([figures(b, k, metric) for k in cases]) for b in widths},
            )
            for metric, heading in METRICS.items()
        ],
    )
