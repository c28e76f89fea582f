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
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import digest, save_network
from golden.evaluation import evaluate
from training.recipe import Recipe, train
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
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch must be installed to train, not missing: pip install '.[train]'")
    output = output or Path("build") / f"{name}.safetensors"
    output.parent.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[name]
    # Both now, so that nothing is missing after minutes of training.
    test, ood = load(recipe.data_set, "test"), load(recipe.ood, "test")
    console = Console(stderr=True)
    chosen = {"seed": seed, "epochs": epochs}
    settings = dataclasses.replace(
        recipe.settings, **{key: value for key, value in chosen.items() if value is not None}
    )
    start = time.perf_counter()
    network = _train(recipe, settings, console)
    seconds = time.perf_counter() - start
    network = _measured(network, test, recipe.ood, ood[0], console)
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


def _train(recipe: Recipe, settings: Settings, console: Console) -> Network:
    with _bar(console) as bar:
        task = bar.add_task("Training", total=settings.epochs)

        def after_epoch(epoch: int, loss: float, accuracy: float) -> None:
            told = f"epoch {epoch}: loss {loss:.3f}, validation accuracy {accuracy:.3f} at T = 1"
            bar.update(task, completed=epoch, description=told)
            if not console.is_terminal:
                console.print(told)

        return train(recipe, settings, after_epoch)


def _measured(
    network: Network,
    test: tuple[Images, Labels],
    ood: str,
    ood_images: Images,
    console: Console,
) -> Network:
    """Return the network with golden's figures on the test set and on images out of it."""
    images, labels = test
    with _bar(console) as bar:
        total = (len(images) + len(ood_images)) * TEST_MEMBERS
        task = bar.add_task("Evaluating", total=total)
        told = evaluate(
            network,
            images,
            labels,
            ood_images,
            TEST_MEMBERS,
            progress=lambda done: bar.advance(task, done),
        ).figures
    # Speed is a property of this machine, not of the network.
    measured = {key: told[key] for key in told if key != "image_members_per_second"}
    figures = {**network.figures, "test": {**measured, "ood": ood}}
    return dataclasses.replace(network, figures=figures)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )


def _print(result: dict[str, Any]) -> None:
    test = result["test"]
    table = Table("figure", "value", title=f"{result['file']}, T = {test['members']}")
    table.add_row("test accuracy", f"{test['accuracy']:.2%}")
    table.add_row("negative log-likelihood", f"{test['nll']:.3f}")
    table.add_row("expected calibration error", f"{test['ece']:.3f}")
    table.add_row(f"OOD AUROC by entropy, {test['ood']}", f"{test['entropy']['auroc']:.3f}")
    table.add_row("OOD AUROC by mutual information", f"{test['mutual_information']['auroc']:.3f}")
    table.add_row("validation accuracy", f"{result['validation']['accuracy']:.2%}")
    table.add_row("training", f"{result['training_seconds']:.0f} s")
    table.add_row("digest", result["digest"][:16])
    Console().print(table)
