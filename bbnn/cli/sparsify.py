"""`bbnn sparsify`: fewer sampled weights, and what that saves and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.evaluate import progress
from bbnn.cli.images import default_ood, labelled_sample, require_shape
from bbnn.description import Network
from bbnn.errors import require, require_int
from bbnn.folding import estimate, fold
from bbnn.model_file import load, save_network
from bbnn.schedule import image_cycles
from bbnn.sparsity import (
    fully_stochastic,
    operations,
    randomness,
    sampled_weights,
    sparsify,
    split,
)
from golden.evaluation import evaluate

BLOCK_RAM_BITS = 18 * 1024
"""Bits of half a block RAM, parity's included."""
ANY = 2**31
"""More of a resource than any part has."""
LUT_BITS = 64
"""Bits of memory that count as a LUT, since a 6-input one holds so many."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--budget", type=float, required=True, help="Share of the sampled weights to keep.")
@click.option(
    "--delta",
    default=0.0,
    show_default=True,
    help="Snap weights first whose probability is so near to 0 or 1.",
)
@click.option(
    "--from", "start", metavar="LAYER", help="First ensembling layer [by the layers' randomness]."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File [build/NAME.safetensors]."
)
@click.option(
    "--dataset",
    type=click.Choice(data.NAMES),
    help="Test images [the sample of the set whose classes MODEL names].",
)
@click.option("--images", "count", type=int, help="Take the first so many of each set [all].")
@click.option(
    "--synth",
    "part",
    metavar="PART",
    help="Synthesize the new model, both ways, and the yardstick for this FPGA part: minutes each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    budget: float,
    delta: float,
    start: str | None,
    output: Path | None,
    dataset: str | None,
    count: int | None,
    part: str | None,
    as_json: bool,
) -> None:
    """Fix the weights of MODEL that are least worth sampling, and compare the two networks.

    Layers at the front that are hardly random are fixed whole and run once an image; in the others
    the rows of largest variance stay random, apart from the others. AUROC is by entropy, against
    the first set of strangers that `bbnn evaluate` takes. LUTs and block RAMs are estimates, unless
    synthesized. The yardstick, "8 bits", has the same layers and lanes with every weight random;
    the new model stands beside it with these lanes, and folded to no more cycles than it takes.

    Example: bbnn sparsify models/fashion-mlp.safetensors --budget 0.14 -o build/sparse.safetensors
    """
    if output is not None:
        require(output.parent.is_dir(), "--output", "a file in an existing folder", str(output))
    if part is not None:
        from boards.parts import part_named

        part_named(part)
    network = load(model)
    certain = sparsify(network, budget, delta, start)
    sparse = split(certain)
    dataset = dataset or labelled_sample(network)
    images, labels = data.load(dataset)
    require_shape(network, dataset, images)
    if count is not None:
        require_int("--images", count, 1, len(images))
    images, labels = images[:count], labels[:count]
    stranger = default_ood(dataset)[0]
    ood = {stranger: data.ood(stranger, images)}
    work = 2 * sum(map(len, (images, *ood.values()))) * (network.ensemble.members + 1)
    columns = {}
    with progress(f"{network.name} on {dataset}, {stranger}", work) as advance:
        for name, each in (("before", network), ("after", sparse)):
            found = evaluate(each, images, labels, ood, progress=advance).figures
            quality = {key: found[key] for key in ("accuracy", "nll", "ece")}
            auroc = found["ood"][stranger]["entropy"]["auroc"]
            columns[name] = {**quality, "auroc": auroc, **costs(each)}
    if output is None:
        output = Path("build") / f"{sparse.name}.safetensors"
        output.parent.mkdir(exist_ok=True)
    save_network(sparse, output)
    yardstick = fully_stochastic(network)
    same_rate = split(fold(certain, image_cycles(yardstick), ANY, ANY).network)
    compared = {"yardstick": yardstick, "after": sparse, "same_rate": same_rate}
    for name, each in compared.items():
        columns.setdefault(name, costs(each))
        if part is not None:
            columns[name] |= synthesized(each, part, output.with_suffix("") / name)
    for name in ("after", "same_rate"):
        columns[name]["ratios"] = ratios(columns["yardstick"], columns[name])
    told = {
        "model": str(output),
        "network": sparse.name,
        "budget": budget,
        "delta": delta,
        "dataset": dataset,
        "images": len(images),
        "ood": stranger,
        "members": network.ensemble.members,
        "first_ensembling": sparse.layers[sparse.first_ensembling].name,
        **columns,
        "layers": [
            {
                "name": old.name,
                "randomness": randomness(old),
                "before": sampled_weights(old),
                "after": sampled_weights(new),
            }
            for old, new in zip(network.layers, sparse.layers, strict=True)
        ],
    }
    if as_json:
        emit(told)
    else:
        show(told, Console(highlight=False))


def costs(network: Network) -> dict[str, Any]:
    """Return what a network samples, computes and stores, and what it is estimated to take."""
    cost = estimate(network)
    return {
        "sampled_weights": sum(map(sampled_weights, network.layers)),
        "stochastic_weights": sum(layer.stochastic_weights for layer in network.layers),
        "operations_per_image": operations(network),
        "cycles_per_image": image_cycles(network),
        "weight_bits": sum(layer.weight_bits for layer in network.layers),
        "noise_bits": sum(layer.noise_bits for layer in network.layers),
        "estimated_lut": cost.lut,
        "estimated_bram36": cost.bram36,
    }


def synthesized(network: Network, part: str, folder: Path) -> dict[str, float]:
    """Return what Yosys needs for a network: LUTs, bits of block RAMs, both as area."""
    from boards.synthesis import synthesize
    from hdl.generate import generate

    with Status(f"synthesis of {network.name}", console=Console(stderr=True)):
        verilog = generate(network, folder)
        found = synthesize(verilog, network.name, part, folder / "synthesis")
    lut, bits = found.lut + found.lutram, BLOCK_RAM_BITS * (2 * found.bram36 + found.bram18)
    return {"lut": lut, "block_ram_bits": bits, "area_in_lut": lut + bits / LUT_BITS}


def ratios(yardstick: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return how many times less the new network takes, of all that is counted for both."""
    return {key: yardstick[key] / after[key] for key in yardstick if after.get(key)}


def show(told: dict[str, Any], console: Console) -> None:
    """Print both networks side by side, and where the sampled weights are."""
    console.print(
        "{network}: {images:,} images of {dataset} and {ood} as strangers, {members} members,"
        " ensembled from {first_ensembling} on\n".format(**told)
    )
    compared = _table("")
    for key, before in told["before"].items():
        name = {"nll": "NLL", "ece": "ECE", "auroc": "AUROC"}.get(key, key.replace("_", " "))
        compared.add_row(name, *(_figure(key, each) for each in (before, told["after"][key])))
    console.print(compared)
    measured = Table(box=None, pad_edge=False, header_style="bold")
    measured.add_column("")
    for heading in ("every weight random, 8 bits", "after", "ratio", "at the same rate", "ratio"):
        measured.add_column(heading, justify="right")
    for key in told["after"]["ratios"]:
        cells = [_figure(key, told["yardstick"][key])]
        for name in ("after", "same_rate"):
            column = told[name]
            # Where nothing is left, such as block RAM, there is no ratio.
            ratio = column["ratios"].get(key)
            cells += [_figure(key, column[key]), "" if ratio is None else f"{ratio:.2f}"]
        measured.add_row(key.replace("_", " "), *cells)
    console.print()
    console.print(measured)
    layers = _table("sampled weights of", "randomness")
    for each in told["layers"]:
        counts = (f"{each[when]:,}" for when in ("before", "after"))
        layers.add_row(each["name"], f"{each['randomness']:.3f}", *counts)
    console.print()
    console.print(layers)
    console.print(f"\nfile: {told['model']}")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for heading in (*others, "before", "after"):
        table.add_column(heading, justify="right")
    return table


def _figure(key: str, value: float) -> str:
    quality = key in ("accuracy", "nll", "ece", "auroc")
    return f"{value:.4f}" if quality else f"{value:,g}" if value < 1e6 else f"{value:,}"
