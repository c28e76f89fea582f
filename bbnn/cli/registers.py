"""`bbnn registers`: a model whose hardware has more registers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from bbnn.cli import emit
from bbnn.errors import require
from bbnn.interface import registers
from bbnn.model_file import digest, load, save_network


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--correction", is_flag=True, help="Scale and offset of every logit.")
@click.option("--early-exit", is_flag=True, help="A rule that ends an image's members early.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model's new file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, correction: bool, early_exit: bool, output: Path, as_json: bool) -> None:
    """Write MODEL with options of its hardware that cost something and are off by default.

    The answers stay the same until a register is written. What the options cost, `bbnn synth` of
    both models tells.

    Example: bbnn registers models/fashion-mlp.safetensors --correction -o build/c.safetensors
    """
    network = load(model)
    require(correction or early_exit, "options", "at least one, --correction say", "none")
    require(output.parent.is_dir(), "--output", "a file in an existing folder", str(output))
    last = network.layers[-1]
    neuron = replace(network.output, registers=correction or network.output.registers)
    early_exit |= network.ensemble.early_exit
    changed = replace(
        network,
        layers=(*network.layers[:-1], replace(last, neuron=neuron)),
        ensemble=replace(network.ensemble, early_exit=early_exit),
    )
    save_network(changed, output)
    told = {
        "model": str(output),
        "network": changed.name,
        "digest": digest(changed),
        "registers": len(registers(changed)),
        "max_members": changed.max_members,
    }
    if as_json:
        emit(told)
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print("{network}: {registers} registers, T at most {max_members}".format(**told))
        console.print(f"file: {output}")
