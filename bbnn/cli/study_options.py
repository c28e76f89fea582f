"""What all studies have: options, images, and the way through their points."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from bbnn import data
from bbnn.cli.evaluate import progress
from bbnn.cli.images import default_ood, labelled_sample, require_shape
from bbnn.description import Network
from bbnn.errors import require, require_int
from bbnn.model_file import digest
from bbnn.sweep import Result, Store, sweep
from golden.studies.figures import Sets

P = TypeVar("P", bound=Hashable)
MAX_SEEDS = 1000
SWEEP = (
    click.option(
        "--results",
        type=click.Path(path_type=Path),
        help="Keep finished points in this file, and go on from those that it has.",
    ),
    click.option(
        "--scheduler",
        help="Measure on Dask: local, or a scheduler's address [in this process].",
    ),
)
"""Options of whatever goes through points."""


def options(seeds: int) -> Callable[[Any], Any]:
    """Return a decorator for the options that all studies have; `seeds` is a default."""
    given = (
        click.option("--seeds", default=seeds, show_default=True, help="How many."),
        click.option("--seed", default=1, show_default=True, help="The first of them."),
        click.option("--dataset", help=f"{', '.join(data.NAMES)} [the network's own, a sample]."),
        click.option("--images", "count", type=int, help="Take the first so many [all]."),
        *SWEEP,
        click.option(
            "--report", "picture", type=click.Path(path_type=Path), help="Draw into this PNG."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )

    def decorate(function: Any) -> Any:
        for option in reversed(given):
            function = option(function)
        return function

    return decorate


def numbers(seed: int, seeds: int) -> list[int]:
    """Return the seeds of a study."""
    require_int("--seeds", seeds, 1, MAX_SEEDS)
    require_int("--seed", seed, 0, 2**32 - 1 - seeds)
    return list(range(seed, seed + seeds))


def require_picture(picture: Path | None) -> None:
    """Raise `InputError` if the picture has no folder."""
    if picture is not None:
        require(picture.parent.is_dir(), "--report", "a file in an existing folder", str(picture))


def require_sampled(network: Network) -> None:
    """Raise `InputError` on a network whose weights are all fixed."""
    sampled = any(layer.probability_bits for layer in network.layers)
    require(sampled, "layers", "with sampled weights", network.name)


def sets_of(
    network: Network, dataset: str | None, ood: str | None, count: int | None
) -> tuple[dict[str, Any], Sets]:
    """Return what the sets of a study are called, and the sets."""
    dataset = dataset or labelled_sample(network)
    images, labels = data.load(dataset)
    require_shape(network, dataset, images)
    count = len(images) if count is None else require_int("--images", count, 1, len(images))
    ood = ood or default_ood(dataset)[0]
    strange = data.ood(ood, images[:count])
    sets = Sets(images=images[:count], labels=labels[:count].astype(np.int64), ood=strange)
    return {"dataset": dataset, "ood": ood, "images": count}, sets


def measure(
    network: Network,
    study: Callable[[P], Result],
    points: Sequence[P],
    settings: Result,
    results: Path | None,
    scheduler: str | None,
) -> dict[P, Result]:
    """Return the result of every point, under a bar on stderr.

    settings : what else a result depends on, in a form fit for JSON; the file of `results` has it.
    """
    store = Store(results, {"study": type(study).__name__, "model": digest(network), **settings})
    with progress(f"{network.name}, points", len(points)) as advance:
        return sweep(study, points, store, scheduler, advance)
