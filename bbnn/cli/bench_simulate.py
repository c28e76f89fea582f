"""`bbnn bench simulate`: the bench whose clock and DMA are Verilog against plain cocotb."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.errors import require_int
from bbnn.model_file import load

SHIPPED = Path(__file__).parents[2] / "models" / "fashion-mlp.safetensors"
PLAIN_IMAGES = 2
"""The plain bench is slow: enough for its speed."""
WHOLE = (10_000, 10)
"""Images and members of the whole test set, for the projected time."""


@click.command()
@click.argument("model", default=SHIPPED, type=click.Path(path_type=Path))
@click.option("--images", "count", default=1000, show_default=True, help="The first N of the set.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/bench/NAME].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, count: int, output: Path | None, as_json: bool) -> None:
    """Time the simulation of the shipped network, or MODEL, under Verilator.

    The baseline is cocotb driving clock and streams from Python, built with cocotb's own options.
    Both must get golden's packets; times are of the runs, with the start of the simulator in ours.

    Example: bbnn bench simulate --images 500
    """
    from hdl.generate import generate
    from tb.baseline import time_plain
    from tb.play import SimulationError
    from tb.setup import Setup
    from tb.verify import verify

    network = load(model)
    images, _ = data.load(data.SAMPLE)
    require_int("--images", count, 1, len(images))
    folder = output or Path("build") / "bench" / network.name
    members = network.ensemble.members
    with Console(stderr=True).status("generating") as status:
        verilog = generate(network, folder)
        verdict = verify(
            network,
            verilog,
            images[:count],
            Setup(members=members),
            "verilator",
            folder / "simulation",
            progress=lambda stage, done: status.update(stage),
        )
        if not verdict.equal or verdict.outcome is None:
            raise click.ClickException(f"the packets differ: run `bbnn simulate {model}`")
        status.update("the plain bench")
        plain = images[:PLAIN_IMAGES]
        try:
            cycles, seconds = time_plain(network, verilog, plain, members, folder / "plain")
        except SimulationError as error:
            raise click.ClickException(str(error)) from None
    ours = verdict.outcome
    per_image_member = ours.cycles / (count * members)
    whole_images, whole_members = WHOLE
    result = {
        "network": network.name,
        "members": members,
        "processors": os.cpu_count(),
        "build_seconds": round(verdict.build_seconds, 1),
        "bench": _rates(count, ours.cycles, ours.seconds, per_image_member),
        "plain_cocotb": _rates(PLAIN_IMAGES, cycles, seconds, per_image_member),
        "faster_by": round(ours.cycles / ours.seconds / (cycles / seconds), 1),
        "projected_seconds": {
            "images": whole_images,
            "members": whole_members,
            "bench": round(
                whole_images * whole_members * per_image_member * ours.seconds / ours.cycles
            ),
        },
    }
    if as_json:
        emit(result)
    else:
        _print(result)


def _rates(images: int, cycles: int, seconds: float, per_image_member: float) -> dict[str, Any]:
    return {
        "images": images,
        "cycles": cycles,
        "seconds": round(seconds, 2),
        "cycles_per_second": round(cycles / seconds),
        "image_members_per_second": round(cycles / seconds / per_image_member, 1),
    }


def _print(result: dict[str, Any]) -> None:
    title = "{network}, T = {members}, built in {build_seconds} s".format(**result)
    table = Table("bench", "images", "cycles/s", "image-members/s", title=title)
    for label, key in (("Verilog clock and DMA", "bench"), ("plain cocotb", "plain_cocotb")):
        rates = result[key]
        table.add_row(
            label,
            f"{rates['images']:,}",
            f"{rates['cycles_per_second']:,}",
            f"{rates['image_members_per_second']:,}",
        )
    console = Console()
    console.print(table)
    console.print(f"faster by {result['faster_by']}")
    text = "{images:,} images x {members} members would take {bench:,} s, without the build"
    console.print(text.format(**result["projected_seconds"]))
