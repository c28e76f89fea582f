"""`bbnn train`: train a shipped network again, measure it with golden, write its model file."""

from __future__ import annotations

import dataclasses
import importlib.util
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bbnn.cli import emit
from bbnn.data import Images, Labels, load
from bbnn.data import ood as strangers
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import digest, save_network
from golden.confidence import sharpened
from golden.evaluation import evaluate
from training.recipe import VALIDATION_MEMBERS, Recipe, held_out, train
from training.recipes import RECIPES
from training.settings import Settings

TEST_MEMBERS = 20


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option(
    "--seed", type=click.IntRange(0), help="Of all that is random; default: the recipe's."
)
@click.option(
    "--epochs", type=click.IntRange(1), help="Passes over the data; default: the recipe's."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Model file to write; default: build/NAME.safetensors.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    name: str, seed: int | None, epochs: int | None, output: Path | None, as_json: bool
) -> None:
    """Train a shipped network again (needs PyTorch) and measure it on the whole test set.

    Example: bbnn train fashion-mlp --epochs 2 -o build/quick.safetensors
    """
    require_torch()
    output = output or Path("build") / f"{name}.safetensors"
    output.parent.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[name]
    # All now, so that nothing is missing after minutes of training.
    test = load(recipe.data_set, "test")
    ood = {name: strangers(name, test[0]) for name in recipe.ood}
    console = Console(stderr=True)
    settings = recipe.settings
    if seed is not None:
        settings = dataclasses.replace(settings, seed=seed)
    if epochs is not None:
        settings = dataclasses.replace(settings, epochs=epochs)
    start = time.perf_counter()
    network = _train(recipe, settings, console)
    seconds = time.perf_counter() - start
    network = calibrated(network, held_out(*load(recipe.data_set, "train")), console)
    network = measured(network, test, ood, console)
    save_network(network, output)
    result = {
        "file": str(output),
        "digest": digest(network),
        "training_seconds": round(seconds, 1),
        **network.figures,
    }
    if as_json:
        emit(result)
    else:
        _print(result)


def require_torch() -> None:
    """Raise `InputError` where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch must be installed to train, not missing: pip install '.[train]'")


def _train(recipe: Recipe, settings: Settings, console: Console) -> Network:
    with _bar(console) as bar:
        task = bar.add_task("Training", total=settings.epochs)

        def after_epoch(epoch: int, loss: float, accuracy: float) -> None:
            told = f"epoch {epoch}: loss {loss:.3f}, validation accuracy {accuracy:.3f} at T = 1"
            bar.update(task, completed=epoch, description=told)
            if not console.is_terminal:
                console.print(told)

        return train(recipe, settings, after_epoch)


def calibrated(network: Network, validation: tuple[Images, Labels], console: Console) -> Network:
    """Return the network as sure as suits its ensemble, by golden on the validation images."""
    with _bar(console) as bar:
        total = len(validation[0]) * VALIDATION_MEMBERS
        task = bar.add_task("Calibrating", total=total)
        network, factor = sharpened(
            network, *validation, VALIDATION_MEMBERS, lambda done: bar.advance(task, done)
        )
    figures = {"members": VALIDATION_MEMBERS, "factor": factor}
    return dataclasses.replace(network, figures={**network.figures, "confidence": figures})


def measured(
    network: Network, test: tuple[Images, Labels], ood: dict[str, Images], console: Console
) -> Network:
    """Return the network with golden's figures on the test set and on images out of it."""
    images, labels = test
    with _bar(console) as bar:
        total = sum(map(len, (images, *ood.values()))) * (TEST_MEMBERS + 1)
        task = bar.add_task("Evaluating", total=total)
        told = evaluate(
            network,
            images,
            labels,
            ood,
            TEST_MEMBERS,
            progress=lambda done: bar.advance(task, done),
        ).figures
    # Speed is a property of this machine, not of the network.
    del told["image_members_per_second"]
    return dataclasses.replace(network, figures={**network.figures, "test": told})


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )


def _print(result: dict[str, Any]) -> None:
    test = result["test"]
    table = Table("figure", "value", title=f"{result['file']}, T = {test['members']}")
    for name, each in (("", test), (", deterministic pass", test["deterministic"])):
        table.add_row(f"test accuracy{name}", f"{each['accuracy']:.2%}")
        table.add_row(f"negative log-likelihood{name}", f"{each['nll']:.3f}")
        table.add_row(f"expected calibration error{name}", f"{each['ece']:.3f}")
        for ood, found in each["ood"].items():
            table.add_row(f"AUROC by entropy, {ood}{name}", f"{found['entropy']['auroc']:.3f}")
    table.add_row("validation accuracy", f"{result['validation']['accuracy']:.2%}")
    table.add_row("training", f"{result['training_seconds']:.0f} s")
    table.add_row("digest", result["digest"][:16])
    Console().print(table)
