"""`bbnn evaluate`: accuracy, calibration and uncertainty, computed by the golden model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.data.files import locate
from bbnn.data.sets import Images, Labels, by_name
from bbnn.description import Network
from bbnn.errors import require, require_int
from bbnn.model_file import load
from golden.evaluation import Average, Evaluation, Scores, evaluate

NOISE = "noise"
NOISE_SEED = 1


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    type=click.Choice(data.NAMES),
    help=f"Test images [fashion-mnist if it is here, else {data.SAMPLE}].",
)
@click.option(
    "--ood",
    type=click.Choice([*data.NAMES, NOISE]),
    help="Images that the network should not know [the other of mnist and fashion-mnist].",
)
@click.option("--members", type=int, help="Members per image [the model's own].")
@click.option("--images", "count", type=int, help="Take the first so many of each [all].")
@click.option(
    "--average",
    type=click.Choice(["softmax", "logits"]),
    default="softmax",
    show_default=True,
    help="What the ensemble averages over its members.",
)
@click.option("--report", "picture", type=click.Path(path_type=Path), help="Draw into this PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    dataset: str | None,
    ood: str | None,
    members: int | None,
    count: int | None,
    average: Average,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure how often MODEL is right, and whether it knows when it is not.

    Runs every member of the ensemble on real test images, and on images out of distribution (OOD),
    with the integers of the hardware.

    Example: bbnn evaluate models/fashion-mlp.safetensors --ood mnist
    """
    network = load(model)
    if picture is not None:
        require(picture.parent.is_dir(), "--report", "a file in an existing folder", str(picture))
    dataset = dataset or default_dataset()
    ood = ood or default_ood(dataset)
    images, labels = data.load(dataset)
    if count is not None:
        require_int("--images", count, 1, len(images))
    images, labels = images[:count], labels[:count]
    strange = ood_images(ood, len(images))
    work = (len(images) + len(strange)) * (members or network.ensemble.members)
    with progress(f"{network.name} on {dataset} and {ood}", work) as advance:
        outcome = evaluate(network, images, labels, strange, members, average, advance)
    told = {"model": network.name, "dataset": dataset, "ood": ood, "average": average}
    told |= outcome.figures
    if picture is not None:
        draw(picture, network, images, labels, strange, outcome, told)
    if as_json:
        emit(told)
    else:
        show(told, Console())


def default_dataset() -> str:
    """Return the full Fashion-MNIST where it is found, else the sample that ships."""
    return "fashion-mnist" if locate(by_name("fashion-mnist")) else data.SAMPLE


def default_ood(dataset: str) -> str:
    """Return the other data set; its sample for a sample, or where the full set is not here."""
    other = "fashion-mnist" if dataset.startswith("mnist") else "mnist"
    sampled = dataset in data.SAMPLES or not locate(by_name(other))
    return next(sample for sample, of in data.SAMPLES.items() if of == other) if sampled else other


def ood_images(name: str, count: int) -> Images:
    """Return the first `count` images of the data set `name`, or so many of noise."""
    return data.noise(count, NOISE_SEED) if name == NOISE else data.load(name)[0][:count]


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` image-members on stderr; yield what advances it."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)


def show(told: dict[str, Any], console: Console) -> None:
    """Print the figures of `evaluate` with the names of model and data sets."""
    console.print(
        f"[bold]{told['model']}[/] on {told['images']:,} images of {told['dataset']}, "
        f"{told['members']} members, their {told['average']} averaged\n"
    )
    quality = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("accuracy", "NLL", "ECE", "Brier"):
        quality.add_column(heading, justify="right")
    quality.add_row(*(f"{told[name]:.4f}" for name in ("accuracy", "nll", "ece", "brier")))
    console.print(quality)
    doubt = Table(box=None, pad_edge=False, header_style="bold")
    doubt.add_column("mean in nats")
    for heading in ("right", "wrong", "OOD", "AUROC", "FPR95"):
        doubt.add_column(heading, justify="right")
    for name in ("entropy", "mutual_information"):
        values = [told[name][key] for key in ("right", "wrong", "ood", "auroc", "fpr95")]
        cells = ("-" if value is None else f"{value:.3f}" for value in values)
        doubt.add_row(name.replace("_", " "), *cells)
    console.print()
    console.print(doubt)
    console.print(
        f"\nOOD: {told['ood_images']:,} images of {told['ood']}. "
        f"{told['image_members_per_second']:,.0f} image-members/s."
    )


def draw(
    path: Path,
    network: Network,
    images: Images,
    labels: Labels,
    ood_images: Images,
    outcome: Evaluation,
    told: dict[str, Any],
) -> None:
    """Write the picture of an evaluation; `told` names model and data sets."""
    # Here, because it takes a second to import.
    from bbnn import report

    def sample(images: Images, scores: Scores) -> report.Sample:
        return report.Sample(
            images=images, member_q=scores.member_q, q=scores.q, entropy=scores.entropy
        )

    diagram = outcome.reliability
    report.draw(
        path,
        title=told["model"].replace("_", " "),
        subtitle=(
            f"{told['dataset']}, {told['images']:,} test images, "
            f"{told['members']} members of a Bayesian binary network"
        ),
        classes=network.classes,
        test=sample(images, outcome.test),
        labels=labels,
        ood=sample(ood_images, outcome.ood),
        ood_name=told["ood"],
        calibration=report.Calibration(
            share=diagram.share,
            accuracy=diagram.accuracy,
            confidence=diagram.confidence,
            ece=diagram.ece,
        ),
        headline=[
            (f"{100 * told['accuracy']:.1f} %", "accuracy"),
            (f"{told['nll']:.3f}", "NLL"),
            (f"{told['ece']:.3f}", "ECE"),
            (f"{told['entropy']['auroc']:.3f}", "OOD AUROC"),
        ],
    )
