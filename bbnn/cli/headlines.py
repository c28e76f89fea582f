"""`bbnn headlines`: the papers' headline ratios, and what comes out here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.device import images_of
from bbnn.cli.evaluate import progress
from bbnn.cli.headlines_networks import vgg_dense, vgg_sparse
from bbnn.convert import convert
from bbnn.description import Network, deterministic
from bbnn.model_file import load
from bbnn.projection import Prices, headlines
from bbnn.projection.constants import BAND, DRAWS, SEED, Range
from bbnn.projection.headlines import GIVEN, Row
from golden.devices.cases import Case, pcm_cases
from golden.devices.correction import Correction
from golden.devices.mapping import Cells
from golden.devices.study import Study
from golden.events import events

YEAR = 365 * 86400
CHIPS = range(1, 4)
IMAGES = 200
"""Of the sample that ships, for the rows that the golden model measures."""
CALIBRATION = 256
STEPS = 3
SPIKE_IMAGES = 20


@click.command()
@click.option(
    "--models",
    "folder",
    default="models",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The networks that ship.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, as_json: bool) -> None:
    """Hold the papers' headline ratios beside what this project's own figures give.

    One row a claim: the paper's figure, ours with its range, the assumption that decides it. Some
    are far off, and some cannot be computed; the row says why. Nothing is fitted.

    Example: bbnn headlines
    """

    def shipped(name: str) -> Network:
        return load(folder / f"{name}.safetensors")

    with progress("headlines", 12) as advance:
        rows = computed(shipped, lambda: advance(1))
    if as_json:
        given = {name: [each.value, each.citation] for name, each in GIVEN.items()}
        emit({"seed": SEED, "draws": DRAWS, "given": given, "rows": [r.as_json() for r in rows]})
    else:
        show(rows, Console(highlight=False))


def computed(shipped: Callable[[str], Network], done: Callable[[], None]) -> list[Row]:
    """Return all rows. shipped : loads a network by the name of its file."""
    prices = Prices(28)
    members = int(GIVEN["members"].value)
    dense, sparse = vgg_dense(members), vgg_sparse(members, GIVEN["sampled"].value)
    sampling = {
        name: shipped(name)
        for name in ("fashion-mlp", "fashion-conv", "mnist-conv", "mnist-levels")
    }
    spatial = shipped("fashion-spatial")
    scales = {name: shipped(name) for name in ("fashion-scale", "mnist-scale")}
    spiking = convert(sampling["mnist-levels"], STEPS)
    on_zynq = {"fashion-mlp": sampling["fashion-mlp"], spiking.name: spiking}
    steps: list[Callable[[], list[Row]]] = [
        lambda: [headlines.sampled_parameters(sampling)],
        lambda: [headlines.area(dense, sparse, prices)],
        lambda: [headlines.energy(dense, sparse, prices)],
        lambda: [headlines.earlier(sparse, prices)],
        lambda: [*headlines.against_sram(dense, prices)],
        lambda: [drift(sampling["fashion-mlp"])],
        lambda: [spikes(sampling["mnist-levels"])],
        lambda: [headlines.per_dsp(), headlines.zynq_power(on_zynq, prices)],
        lambda: [headlines.dropout_modules(spatial)],
        lambda: [headlines.dropout_energy(spatial, prices)],
        lambda: [headlines.one_unit(scales["fashion-scale"], prices)],
        lambda: [headlines.accuracy(scales)],
    ]
    rows: list[Row] = []
    for step in steps:
        rows += step()
        done()
    return rows


def drift(network: Network) -> Row:
    """Measure the accuracy that a year of drift takes from chips of a network, in points."""
    sets = images_of("fashion-mnist-1000", "noise", IMAGES, CALIBRATION)
    meant, (ideal, plain, compensated) = pcm_cases(network, Cells(), {"1y": YEAR}, [False, True])
    study = Study(meant, sets)

    def accuracies(case: Case, correction: Correction) -> list[float]:
        found = []
        for chip in CHIPS:
            outcome = study.measure(*case.on_chip(chip), [correction])
            found.append(100 * outcome[0]["accuracy"])
        return found

    before = accuracies(ideal, "off")
    ours = {
        "nothing corrected": spread(np.subtract(accuracies(plain, "off"), before)),
        "drift and logits corrected": spread(
            np.subtract(accuracies(compensated, "affine"), before)
        ),
    }
    return Row(
        claim="no accuracy lost to drift",
        paper="no drop with compensation",
        source=headlines.BAYES2IMC,
        kind="measured",
        ours=ours,
        unit="points",
        assumption=f"a year, {len(CHIPS)} chips, {IMAGES} images of Fashion-MNIST, whose noise"
        " alone is about 2 points; verified programming, read noise new in every read",
        command="bbnn device models/fashion-mlp.safetensors --time 1y",
    )


def spikes(network: Network) -> Row:
    """Count the spikes of plain binary spiking networks over those of a Bayesian member."""
    images = data.load("mnist-1000")[0][:SPIKE_IMAGES]

    def counted(each: Network) -> float:
        return float(np.mean(sum(layer.spikes for layer in events(each, images))))

    own = counted(convert(network, STEPS))
    long = int(GIVEN["long_steps"].value)
    plain = deterministic(network)
    ours = {
        f"plain network, {steps} steps": _exactly(counted(convert(plain, steps)) / own)
        for steps in (STEPS, long)
    }
    return Row(
        claim="up to 25x fewer spikes",
        paper="up to 25",
        source=headlines.BSNN,
        kind="measured",
        ours=ours,
        assumption=f"mnist-levels in {STEPS} steps, {SPIKE_IMAGES} images. How many steps the other"
        " network takes decides: spikes grow with them, chance in the weights changes little",
        command="bbnn convert models/mnist-levels.safetensors --steps 3",
    )


def spread(values: object) -> Range:
    """Return least, mean and largest of some figures."""
    array = np.asarray(values, float)
    return Range(float(array.min()), float(array.mean()), float(array.max()))


def _exactly(value: float) -> Range:
    return Range(value, value, value)


def show(rows: list[Row], console: Console) -> None:
    """Print a table of the claims, and below it what decides each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right")
    table.add_column("claim")
    table.add_column("paper", justify="right")
    table.add_column("ours", justify="right")
    table.add_column("of")
    table.add_column("kind")
    for number, row in enumerate(rows, 1):
        ours: list[tuple[str, Range | None]] = [*row.ours.items()] or [("", None)]
        for place, (name, found) in enumerate(ours):
            head = (str(number), row.claim, row.paper) if place == 0 else ("", "", "")
            table.add_row(*head, _shown(found, row.unit), name, row.kind if found else "")
    console.print(table)
    console.print(
        f"\nx (from to): percentiles {BAND[0]} and {BAND[1]} of {DRAWS:,} draws of the"
        f" constants, seed {SEED}; 28 nm. What decides each row:\n"
    )
    for number, row in enumerate(rows, 1):
        missing = f" MISSING: {row.missing}." if row.missing else ""
        console.print(
            f"{number:2}. [bold]{row.source}[/]{missing} {row.assumption}. `{row.command}`"
        )


def _shown(found: Range | None, unit: str) -> str:
    if found is None:
        return "cannot be computed"
    value = f"{found.typical:.3g}{' ' + unit if unit != 'x' else ''}"
    if found.low == found.high:
        return value
    return f"{value} ({found.low:.3g} to {found.high:.3g})"
