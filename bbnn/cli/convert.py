"""`bbnn convert`: a quantised network made a spiking one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from bbnn import data, model_file
from bbnn.cli import emit
from bbnn.cli.evaluate import progress
from bbnn.cli.images import require_shape
from bbnn.convert import convert
from bbnn.data.sets import DATA_SETS
from bbnn.description import Network, Quantised
from bbnn.errors import require
from golden.conversion import RUNS, calibrated

IMAGES, MEMBERS = 200, 4
"""That biases are corrected with: a mean rate is right to about a hundredth."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["spiking"]), default="spiking", show_default=True)
@click.option("--steps", type=click.IntRange(1, 255), help="Time steps S [the first layer's L].")
@click.option("--levels", type=click.IntRange(1, 255), help="Refuse a MODEL whose L is another.")
@click.option("--average-pools", is_flag=True, help="Make average pools of OR pools.")
@click.option(
    "--calibrate",
    type=click.Choice(tuple(DATA_SETS)),
    help="Correct the biases with training images of this set.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File [build/NAME.safetensors]."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    kind: str,
    steps: int | None,
    levels: int | None,
    average_pools: bool,
    calibrate: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Turn the quantised ReLUs of MODEL into integrate-and-fire neurons.

    A neuron of b bits has L = 2**b - 1 levels besides 0. With S = L steps the first layer's spikes
    add up to its levels exactly. All hidden neurons must be quantised, with scales above 0.
    Behind the first layer spikes come unevenly; with few steps some networks lose much of their
    accuracy to that, and --calibrate gives it back.

    Example: bbnn convert models/mnist-levels.safetensors --to spiking --steps 4 --calibrate mnist
    """
    network = model_file.load(model)
    found = _levels(network)
    for index, each in enumerate(found):
        where = f"{model}: levels of layers[{index}] ({network.layers[index].name})"
        require(levels in (None, each), where, f"{levels}, as --levels says", each)
    spiking = convert(network, steps or (found[0] if found else 1), average_pools)
    if calibrate is not None:
        spiking = _calibrated(spiking, network, calibrate)
    if output is None:
        output = Path("build") / f"{spiking.name}.safetensors"
        output.parent.mkdir(exist_ok=True)
    model_file.save_network(spiking, output)
    result = {
        "model": str(output),
        "network": spiking.name,
        "kind": kind,
        "steps": spiking.steps,
        "average_pools": average_pools,
        "calibrated": calibrate,
    }
    if as_json:
        emit(result)
    else:
        Console().print(f"{output}: {spiking.name}, {spiking.steps} steps", highlight=False)


def _calibrated(spiking: Network, quantised: Network, dataset: str) -> Network:
    """Return the network with biases corrected by the first training images of `dataset`."""
    images, _ = data.load(dataset, "train")
    require_shape(quantised, dataset, images)
    images = images[:IMAGES]
    total = RUNS * MEMBERS * (len(spiking.layers) - 1)
    with progress(f"{spiking.name}, layers", total) as advance:
        corrected = calibrated(spiking, quantised, images, MEMBERS, advance)
    told = {"data_set": dataset, "images": len(images)}
    converted = {**corrected.figures["converted"], "calibrated": told}
    return replace(corrected, figures={"converted": converted})


def _levels(network: Network) -> list[int]:
    """Return L of the quantised layers that the network begins with."""
    levels = []
    for layer in network.layers:
        if not isinstance(layer.neuron, Quantised):
            break
        levels.append(2**layer.neuron.bits - 1)
    return levels
