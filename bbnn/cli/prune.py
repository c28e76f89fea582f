"""`bbnn prune`: leave out the rows of pixels that are never lit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.evaluate import progress
from bbnn.cli.images import labelled_sample, require_shape
from bbnn.description import Network
from bbnn.errors import InputError, require, require_int
from bbnn.model_file import load, save_network
from bbnn.pruning import never_lit, prune
from bbnn.schedule import image_cycles, pass_cycles, stage_cycles
from golden.network import logits


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--dataset", help="Whose training images decide [the sample of the network's own].")
@click.option("--images", "count", default=1000, show_default=True, help="Compare on so many.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File [build/NAME-pruned.safetensors]."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, dataset: str | None, count: int, output: Path | None, as_json: bool
) -> None:
    """Write MODEL without word lines for pixels that are 0 in all images of a data set.

    Whole groups of rows go. Every logit of the pruned network is compared with MODEL's on the first
    images of the data set's test images; where the first layer is sampled it draws other random
    bits, and nothing is compared. An image that lights a pruned pixel gets another answer than
    from MODEL, in golden as in hardware.

    Example: bbnn prune models/mnist-mlp.safetensors --dataset mnist
    """
    if output is not None:
        require(output.parent.is_dir(), "--output", "a file in an existing folder", str(output))
    network = load(model)
    dataset = dataset or labelled_sample(network)
    sampled = dataset in data.SAMPLES
    deciding, _ = data.load(dataset, "test" if sampled else "train")
    require_shape(network, dataset, deciding)
    dark = never_lit(network.read(deciding))
    pruned = prune(network, dark)
    tested, _ = data.load(dataset, "test")
    require_int("--images", count, 1, len(tested))
    tested = tested[:count]
    told: dict[str, Any] = {
        "network": network.name,
        "dataset": dataset,
        "deciding_images": len(deciding),
        "never_lit": int(dark.sum()),
        "before": costs(network),
        "after": costs(pruned),
        **compared(network, pruned, tested),
    }
    if output is None:
        output = Path("build") / f"{network.name}-pruned.safetensors"
        output.parent.mkdir(exist_ok=True)
    save_network(pruned, output)
    told["model"] = str(output)
    if as_json:
        emit(told)
    else:
        show(told, Console(highlight=False))


def compared(
    network: Network, pruned: Network, images: np.ndarray[Any, np.dtype[np.uint8]]
) -> dict[str, Any]:
    """Return on how many images nothing that is pruned is lit, and how many logits are equal.

    Raise `InputError` where one of these differs; compare nothing where the bits drawn differ.
    """
    assert pruned.input_rows is not None
    vectors = network.read(images).reshape(len(images), -1)
    lost = np.delete(vectors, pruned.input_rows, axis=1).any(axis=1)
    fitting = images[~lost]
    told = {"images": len(images), "images_that_light_pruned": int(lost.sum())}
    if network.layers[0].probability_bits or not len(fitting):
        return {**told, "logits_equal": None, "logits_compared": 0}
    with progress(f"{network.name}", 2 * len(fitting) * network.ensemble.members) as advance:
        before, after = (logits(each, fitting, progress=advance) for each in (network, pruned))
    equal = int((before == after).sum())
    if equal != before.size:
        raise InputError(f"logits must be equal, not {equal} of {before.size}")
    return {**told, "logits_equal": equal, "logits_compared": before.size}


def costs(network: Network) -> dict[str, int]:
    """Return what the first layer and the whole network take."""
    first = network.layers[0]
    stages = stage_cycles(network, network.ensemble.members)
    return {
        "rows": first.rows,
        "row_groups": first.row_groups,
        "weight_bits": first.weight_bits,
        "code_memory_bits": first.row_groups
        * first.column_groups
        * first.folding.lanes_in
        * first.folding.lanes_out
        * (first.probability_bits + 1),
        "noise_bits": first.noise_bits,
        "cycles_per_vector": pass_cycles(first),
        "cycles_of_the_first_layer": stages[f"{first.name} crossbar"],
        "cycles_per_image": image_cycles(network),
    }


def show(told: dict[str, Any], console: Console) -> None:
    """Print both networks side by side, and what was compared."""
    title = "{network}: {never_lit} pixels are 0 in all {deciding_images:,} images of {dataset}\n"
    console.print(title.format(**told))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("first layer")
    for heading in ("before", "after"):
        table.add_column(heading, justify="right")
    for key, before in told["before"].items():
        table.add_row(key.replace("_", " "), f"{before:,}", f"{told['after'][key]:,}")
    console.print(table)
    console.print(
        "\n{images:,} test images, of which {images_that_light_pruned} light a pruned pixel".format(
            **told
        )
    )
    if told["logits_compared"]:
        console.print("logits equal on the others: {logits_equal}/{logits_compared}".format(**told))
    else:
        console.print("logits not compared: the first layer draws other random bits")
    console.print(f"file: {told['model']}")
