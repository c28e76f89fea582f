"""`bbnn stream`: the rate of a network whose codes come from memory, by the cycle model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bbnn.cli import emit
from bbnn.errors import InputError, require
from bbnn.model_file import load, save_network
from bbnn.streaming import Plan, plan


@click.command()
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--vgg", is_flag=True, help="VGGBinaryConnect at its full size, instead of MODEL.")
@click.option("--part", default="xc7z020clg400-1", show_default=True, help="FPGA part.")
@click.option("--members", type=int, help="T [the model's].")
@click.option("--bytes-a-cycle", default=6.4, show_default=True, help="That memory gives, of 8.")
@click.option("--memory", default=1.0, show_default=True, help="Share of the block RAMs to use.")
@click.option("--clock", default=100.0, show_default=True, help="MHz.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the model so folded.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path | None,
    vgg: bool,
    part: str,
    members: int | None,
    bytes_a_cycle: float,
    memory: float,
    clock: float,
    output: Path | None,
    as_json: bool,
) -> None:
    """Print which layers of MODEL stay on a part, what the others fetch, and the rate.

    The rate is projected by the cycle model (docs/streaming.md) and by what memory is said to give.
    Logic is not counted, nor are memories of up to 64 words, which are made of it.

    Example: bbnn stream --vgg -o build/vgg.safetensors
    """
    from boards.parts import part_named

    require(vgg != (model is not None), "stream", "given MODEL or --vgg", "both" if vgg else None)
    require(0 < bytes_a_cycle <= 8, "--bytes-a-cycle", "above 0, 8 at most", bytes_a_cycle)
    require(0 < memory <= 1, "--memory", "a share above 0, 1 at most", memory)
    require(0 < clock <= 1000, "--clock", "above 0, 1000 MHz at most", clock)
    if model is None:
        from training.untrained import vgg_binary_connect

        network = vgg_binary_connect()
    else:
        network = load(model)
    members = network.ensemble.members if members is None else members
    chosen = part_named(part)
    room = memory * chosen.bram36
    found = plan(network, members, room, bytes_a_cycle)
    if found is None:
        raise InputError(
            f"{network.name} must fit into {room:g} block RAMs of {part}, streamed, not more"
        )
    weights = sum(layer.weight_bits for layer in network.layers)
    result: dict[str, Any] = {
        "network": network.name,
        "part": part,
        "is": "projected by the cycle model",
        "members": members,
        "clock_mhz": clock,
        "weight_bits": weights,
        "block_rams": found.block_rams,
        "block_rams_of_the_part": chosen.bram36,
        "bytes_an_image": found.bytes_an_image,
        "fetch_cycles": round(found.fetch_cycles),
        "compute_cycles": found.compute_cycles,
        "slowest": found.slowest,
        "decides": found.decides,
        "images_a_second": round(1e6 * clock / found.cycles, 2),
        "layers": [
            {
                "layer": way.layer,
                "held": way.held,
                "block_rams": way.block_rams,
                "bytes_an_image": way.bytes_an_image,
                "cycles": way.cycles,
            }
            for way in found.choices
        ],
    }
    if output is not None:
        save_network(found.network, output)
        result["output"] = str(output)
    emit(result) if as_json else show(result, found)


def show(result: dict[str, Any], found: Plan) -> None:
    """Print the table of layers and the rate."""
    table = Table("layer", "codes", title="{network} on {part}, T = {members}".format(**result))
    for heading in ("block RAMs", "bytes an image", "cycles an image"):
        table.add_column(heading, justify="right")
    for way in found.choices:
        several = f"for {way.held} members" if way.held > 1 else "for each input"
        where = f"streamed {several}" if way.held else "resident"
        counts = (f"{way.block_rams:g}", f"{way.bytes_an_image:,.0f}", f"{way.cycles:,}")
        table.add_row(way.layer, where, *counts)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        "codes: {weight_bits:,} bits; on the part "
        "{block_rams:g} of {block_rams_of_the_part} block RAMs".format(**result)
    )
    console.print(
        "an image: {bytes_an_image:,} bytes in {fetch_cycles:,} cycles; "
        "{slowest} {compute_cycles:,} cycles".format(**result)
    )
    console.print(
        "{images_a_second:,} images a second at {clock_mhz} MHz; {decides} decides; "
        "projected by the cycle model".format(**result)
    )
