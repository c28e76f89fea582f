"""`bbnn bench golden`: the golden model against the float programs that a person would write."""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bbnn import model_file
from bbnn.cli import emit
from bbnn.description import Layer, Logits, Network, Threshold
from golden.network import logits

SHIPPED = Path(__file__).parents[2] / "models" / "fashion-mlp.safetensors"
SEED = 1
Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Program = Callable[[], Any]


@click.command()
@click.argument("model", default=SHIPPED, type=click.Path(path_type=Path))
@click.option("--images", "count", default=2000, type=click.IntRange(1), show_default=True)
@click.option("--rounds", default=9, type=click.IntRange(1), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, count: int, rounds: int, as_json: bool) -> None:
    """Time the golden model against the same network in floats, in PyTorch and NumPy.

    All run the shipped network, or MODEL, on the same random images, in turn. The float programs
    draw an independent random word for every weight and member; sampling is timed everywhere.
    NumPy runs only where all layers are matrix products and thresholds.

    Example: bbnn bench golden --images 2000
    """
    network = model_file.load(model)
    shape = (count, *network.input_shape)
    images = np.random.default_rng(SEED).integers(0, 256, shape, dtype=np.uint8)
    programs: dict[str, Program] = {"golden": lambda: logits(network, images)}
    if all(is_plain(layer) for layer in network.layers):
        programs["NumPy"] = numpy_program(network, images)
    if importlib.util.find_spec("torch"):
        from bbnn.cli.bench_torch import torch_program

        programs["PyTorch"] = torch_program(network, images)
    rates = measure(programs, rounds, count * network.ensemble.members)
    result = {
        "network": network.name,
        "images": count,
        "members": network.ensemble.members,
        "rounds": rounds,
        "processors": os.cpu_count(),
        "image_members_per_second": {name: round(rate) for name, rate in rates.items()},
        "golden_is_faster_by": {
            name: round(rates["golden"] / rate, 3) for name, rate in rates.items()
        },
    }
    if as_json:
        emit(result)
    else:
        _print(result)


def measure(programs: dict[str, Program], rounds: int, work: int) -> dict[str, float]:
    """Return the median rate of every program, work per second, from `rounds` alternating runs."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    names = list(programs)
    # One round more than counted: it warms caches and threads.
    for _ in track(range(rounds + 1), "timing", console=Console(stderr=True), transient=True):
        # Another one first each time, as what one leaves behind slows the next.
        names.append(names.pop(0))
        for name in names:
            start = time.perf_counter()
            programs[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: work / statistics.median(times[1:]) for name, times in seconds.items()}


def is_plain(layer: Layer) -> bool:
    """Say whether a layer is a matrix product and a threshold, which NumPy alone is fast at."""
    scaled = isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None
    threshold = isinstance(layer.neuron, Threshold | Logits) and not scaled
    return layer.window is None and layer.dropout is None and threshold


def numpy_program(network: Network, images: Images) -> Program:
    """Return the ensemble in float32 NumPy: (members, images, classes)."""
    rng = np.random.default_rng(SEED)
    plus, minus = np.float32(1), np.float32(-1)
    *hidden, (output, scale, offset) = _layers(network)

    def weights(probability: Floats) -> Floats:
        return np.where(rng.random(probability.shape, np.float32) < probability, plus, minus)

    def run() -> Any:
        pixels = images.reshape(len(images), -1).astype(np.float32)
        outputs = []
        for _ in range(network.ensemble.members):
            vector = pixels
            for probability, thresholds in hidden:
                vector = np.where(vector @ weights(probability) >= thresholds, plus, minus)
            outputs.append(vector @ weights(output) * scale + offset)
        return np.stack(outputs)

    return run


def _layers(network: Network) -> list[tuple[Floats, ...]]:
    """Return float32 probabilities and thresholds of each layer; of the last, scale and offset."""
    layers = []
    for layer in network.layers:
        probability = layer.codes / 2**layer.probability_bits
        if isinstance(layer.neuron, Threshold):
            arrays = [probability, layer.neuron.thresholds]
        else:
            assert isinstance(layer.neuron, Logits)
            arrays = [probability, layer.neuron.scale, layer.neuron.offset]
        layers.append(tuple(values.astype(np.float32) for values in arrays))
    return layers


def _print(result: dict[str, Any]) -> None:
    title = "{images} images, {members} members, median of {rounds} runs".format(**result)
    table = Table("program", "image-members/s", "golden is faster by", title=title)
    for name, rate in result["image_members_per_second"].items():
        table.add_row(name, f"{rate:,}", f"{result['golden_is_faster_by'][name]:.2f}")
    Console().print(table)
