"""`bbnn study scale-dropout`: which scales and what probability make members differ."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.evaluate import progress
from bbnn.cli.train import require_torch
from golden.evaluation import evaluate

CASES = ((1.25, 0.3), (2.0, 0.3), (4.0, 0.3), (2.0, 0.15), (2.0, 0.5))
"""Spread of the scales and probability of leaving them out."""
MEMBERS = 20


@click.command("scale-dropout")
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(epochs: int, seed: int, as_json: bool) -> None:
    """Train 784-256-256-10 on MNIST with scale dropout of several kinds (needs PyTorch).

    Each ensemble is compared with its own pass without dropout, on the 1,000 images that ship and,
    out of distribution, as many of Fashion-MNIST.

    Example: bbnn study scale-dropout --epochs 2
    """
    require_torch()
    from training.recipe import train
    from training.recipes import MLP, RECIPES, mlp

    images, labels = data.load("mnist-1000")
    ood = {"fashion-mnist": data.load("fashion-mnist-1000")[0]}
    base = mlp((256, 256, 10), ((56, 32), (32, 16), (32, 10)))
    rows = []
    with progress("scale dropout", len(CASES) * epochs) as advance:
        for spread, probability in CASES:
            blocks = tuple(
                dataclasses.replace(
                    block,
                    bernoulli=False,
                    scale_dropout=0.0 if block is base[-1] else probability,
                    scale_spread=spread,
                )
                for block in base
            )
            recipe = dataclasses.replace(RECIPES["mnist-mlp"], name="scale_study", blocks=blocks)
            settings = dataclasses.replace(MLP, seed=seed, epochs=epochs)
            network = train(recipe, settings, lambda epoch, loss, accuracy: advance(1))
            told = evaluate(network, images, labels, ood, MEMBERS).figures
            rows.append({"spread": spread, "probability": probability, **_short(told)})
    if as_json:
        emit({"epochs": epochs, "seed": seed, "members": MEMBERS, "rows": rows})
    else:
        _show(rows)


def _short(told: dict[str, Any]) -> dict[str, float]:
    once, doubt = told["deterministic"], told["ood"]["fashion-mnist"]
    return {
        "accuracy": told["accuracy"],
        "nll": told["nll"],
        "auroc": doubt["entropy"]["auroc"],
        "mutual_information": doubt["mutual_information"]["mean"],
        "deterministic_accuracy": once["accuracy"],
        "deterministic_nll": once["nll"],
        "deterministic_auroc": once["ood"]["fashion-mnist"]["entropy"]["auroc"],
    }


def _show(rows: list[dict[str, float]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        *("scales", "p", "accuracy", "NLL", "AUROC", "MI of OOD"),
        *("without: accuracy", "NLL", "AUROC"),
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        scales = f"{1 / row['spread']:.2g}..{row['spread']:g}"
        cells = (f"{value:.3f}" for name, value in list(row.items())[2:])
        table.add_row(scales, f"{row['probability']:g}", *cells)
    Console().print(table)
