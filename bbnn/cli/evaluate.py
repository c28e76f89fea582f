"""`bbnn evaluate`: accuracy, calibration and uncertainty, computed by the golden model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.images import default_ood, default_test, require_shape
from bbnn.data import Images, Labels
from bbnn.description import Network
from bbnn.errors import require, require_int
from bbnn.model_file import digest, load
from golden.distributions import distributions
from golden.evaluation import Average, Evaluation, Scores, evaluate
from golden.network import checked_members


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    type=click.Choice(data.NAMES),
    help="Test images [the set whose classes MODEL names, or its sample if it is not here].",
)
@click.option(
    "--ood",
    "ood_names",
    multiple=True,
    type=click.Choice(data.OOD_NAMES),
    help="Images that the network should not know, brought to its shape; may be repeated [the other"
    " of mnist and fashion-mnist, and noise; for cifar-10 noise, and its own images with shuffled"
    " pixels].",
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
    ood_names: tuple[str, ...],
    members: int | None,
    count: int | None,
    average: Average,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure how often MODEL is right, and whether it knows when it is not.

    Runs every member of the ensemble on real test images, and on images out of distribution (OOD),
    with the integers of the hardware; beside it a single pass with the likelier of each weight's
    two values.

    Example: bbnn evaluate models/fashion-mlp.safetensors --ood mnist --ood noise
    """
    network = load(model)
    if picture is not None:
        require(picture.parent.is_dir(), "--report", "a file in an existing folder", str(picture))
    dataset = dataset or default_test(network)
    images, labels = data.load(dataset)
    require_shape(network, dataset, images)
    if count is not None:
        require_int("--images", count, 1, len(images))
    images, labels = images[:count], labels[:count]
    ood = {name: data.ood(name, images) for name in ood_names or default_ood(dataset)}
    members = checked_members(network, members)
    work = sum(map(len, (images, *ood.values()))) * (members + 1)
    with progress(f"{network.name} on {dataset}, {', '.join(ood)}", work) as advance:
        outcome = evaluate(network, images, labels, ood, members, average, advance)
    named = {"model": network.name, "digest": digest(network)}
    told = named | {"dataset": dataset, "average": average} | outcome.figures
    if picture is not None:
        draw(picture, network, images, labels, ood, outcome, told)
    if as_json:
        emit(told | distributions(outcome, images, labels, ood, average))
    else:
        show(told, Console())


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` image-members on stderr; yield what advances it."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)


def show(told: dict[str, Any], console: Console) -> None:
    """Print the figures of `evaluate` with the names of model and data set."""
    console.print(
        f"[bold]{told['model']}[/] on {told['images']:,} images of {told['dataset']}, "
        f"{told['members']} members, their {told['average']} averaged\n"
    )
    passes = {"ensemble": told, "deterministic pass": told["deterministic"]}
    quality = _table("", "accuracy", "NLL", "ECE", "Brier")
    for name, each in passes.items():
        quality.add_row(name, *(f"{each[key]:.4f}" for key in ("accuracy", "nll", "ece", "brier")))
    console.print(quality)
    rows = [
        (each, doubt, f"{doubt.replace('_', ' ')}{', ' + name if each is not told else ''}")
        for name, each in passes.items()
        for doubt in ("entropy", "mutual_information")
        if doubt in each
    ]
    means = _table("mean in nats", "right", "wrong", *told["ood"])
    for each, doubt, title in rows:
        strange = (found[doubt]["mean"] for found in each["ood"].values())
        means.add_row(title, *map(_figure, (each[doubt]["right"], each[doubt]["wrong"], *strange)))
    console.print()
    console.print(means)
    detection = _table("AUROC, FPR95 against", *told["ood"])
    for each, doubt, title in rows:
        detection.add_row(
            title,
            *("{auroc:.3f}, {fpr95:.3f}".format(**found[doubt]) for found in each["ood"].values()),
        )
    console.print()
    console.print(detection)
    counts = ", ".join(f"{found['images']:,} of {name}" for name, found in told["ood"].items())
    console.print(
        f"\nOut of distribution: {counts}. {told['image_members_per_second']:,.0f} image-members/s."
    )
    if "events" in told:
        console.print()
        console.print(_events(told["events"]))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _events(told: dict[str, Any]) -> Table:
    table = _table("per inference, over the images", "spikes", "synaptic events")
    for name, counts in [*told["layers"].items(), ("total", told)]:
        table.add_row(
            name,
            *(
                "-" if each is None else "{mean:,.0f} ± {deviation:,.0f}".format(**each)
                for each in (counts["spikes"], counts["synaptic_events"])
            ),
        )
    return table


def draw(
    path: Path,
    network: Network,
    images: Images,
    labels: Labels,
    ood: Mapping[str, Images],
    outcome: Evaluation,
    told: dict[str, Any],
) -> None:
    """Write the picture of an evaluation, strangers of the first set; `told` names the rest."""
    # Here, because it takes a second to import.
    from bbnn import report

    def sample(images: Images, scores: Scores) -> report.Sample:
        return report.Sample(
            images=images, member_q=scores.member_q, q=scores.q, entropy=scores.entropy
        )

    diagram = outcome.reliability
    first = next(iter(ood))
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
        ood=sample(ood[first], outcome.ood[first]),
        ood_name=first,
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
            (f"{told['ood'][first]['entropy']['auroc']:.3f}", "OOD AUROC"),
        ],
    )
