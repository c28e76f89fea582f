"""`bbnn power`: the FPGA power of the generated design, estimated from its activity."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bbnn.cli import emit
from bbnn.cli.images import dataset_option, default_sample, images_for
from bbnn.errors import InputError, require, require_int
from bbnn.model_file import load
from bbnn.projection import Prices
from bbnn.projection.activity import Activity, measured
from bbnn.projection.power import Design, estimated, told

NODE = 28


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--images", "count", default=1, show_default=True, help="The first N of the set.")
@click.option("--members", default=3, show_default=True, help="T while it is watched.")
@click.option("--clock", "megahertz", default=100.0, show_default=True, help="MHz.")
@dataset_option
@click.option("--part", default="xc7z020clg400-1", show_default=True, help="FPGA part.")
@click.option(
    "--resources",
    type=click.Path(path_type=Path),
    help="What `bbnn synth --json` printed for MODEL [synthesize].",
)
@click.option(
    "--waves", type=click.Path(path_type=Path), help="A VCD of its simulation [simulate]."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    count: int,
    members: int,
    megahertz: float,
    dataset: str | None,
    part: str,
    resources: Path | None,
    waves: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Estimate the power of MODEL's design on a Zynq-7000, from how it toggles on real images.

    Simulates the Verilog (equal to golden, or the command fails), counts the toggles of every net
    and register, synthesizes, and multiplies with energies of the 7 series from the literature
    (docs/projection.md). No watt is measured. A quarter of a GB of waves for ten members.

    Example: bbnn power models/fashion-mlp.safetensors --clock 100
    """
    require_int("--images", count, 1, 10)
    require(megahertz > 0, "--clock", "above 0 MHz", megahertz)
    network = load(model)
    require_int("--members", members, 1, network.max_members)
    dataset = dataset or default_sample(network)
    images, _ = images_for(network, dataset)
    require(count <= len(images), "--images", f"at most {len(images)}", count)
    folder = output or Path("build") / network.name
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("write the Verilog")

        def say(text: str) -> None:
            bar.update(task, description=text)

        # Here, because Amaranth takes a second to import.
        from hdl.generate import generate

        # What is wrong with a file is said before the long work.
        design = _read(resources, network.name) if resources is not None else None
        verilog = generate(network, folder)
        if waves is None:
            say("compile and simulate")
            waves = _simulated(network, verilog, images[:count], members, folder)
        say("count toggles")
        activity = measured(waves, verilog.read_text(), network.name)
        design = design or _synthesized(verilog, network.name, part, folder, say)
    watts = estimated(design, activity, megahertz, Prices(NODE))
    found = {
        "network": network.name,
        "part": part,
        "dataset": dataset,
        "images": count,
        "members": members,
        "waves": str(waves),
        **told(design, activity, megahertz, watts),
    }
    if as_json:
        emit(found)
    else:
        show(found, activity, Console(highlight=False))


def _simulated(network: Any, verilog: Path, images: Any, members: int, folder: Path) -> Path:
    """Return the waves of a run that equals golden; raise `InputError` if it does not."""
    from tb.setup import Setup
    from tb.verify import verify

    setup = Setup(members=members)
    where = folder / "power"
    # Where `bbnn simulate --waves` builds too: compiling takes a minute.
    builds = folder / "simulation" / "build"
    verdict = verify(
        network,
        verilog,
        images,
        setup,
        "verilator",
        where,
        builds=builds,
        processes=1,
        waves=True,
    )
    require(verdict.equal, network.name, "equal to golden", "different: see bbnn simulate")
    assert verdict.outcome is not None
    return verdict.outcome.waves[0]


def _synthesized(
    verilog: Path, name: str, part: str, folder: Path, say: Callable[[str], None]
) -> Design:
    """Return what Yosys finds that the design takes."""
    from boards.synthesis import synthesize

    say("start Yosys")
    where = folder / "synthesis"
    found = synthesize(verilog, name, part, where, lambda step: say(f"Yosys: {step}"))
    return Design.from_json(found.as_json())


def _read(resources: Path, name: str) -> Design:
    """Return what `bbnn synth --json` printed of the network `name`."""
    require(resources.is_file(), str(resources), "an existing file", "missing")
    try:
        read = json.loads(resources.read_text())
    except ValueError:
        raise InputError(f"{resources} must be JSON of `bbnn synth --json`, not this") from None
    if isinstance(read, dict) and "network" in read:
        require(read["network"] == name, f"{resources}: network", name, read["network"])
    return Design.from_json(read)


def show(found: dict[str, Any], activity: Activity, console: Console) -> None:
    """Print where the power goes, and how busy each block was."""
    console.print(
        "[bold]{network}[/] on {part} at {clock_mhz:g} MHz: all figures estimated, from"
        " {cycles:,} cycles on {images} image(s) of {dataset}, {members} members\n".format(**found)
    )
    table = _table("part", "mW", "from", "to")
    for name, each in [*found["parts"].items(), ("total", found["total"])]:
        table.add_row(name, *(f"{1e3 * each[key]:.1f}" for key in ("typical", "low", "high")))
    console.print(table)
    console.print()
    busy = _table("block", "nets, bits", "toggles a cycle", "registers, bits", "toggles a cycle")
    for name, counts in activity.groups.items():
        cells = []
        for kind in ("net", "register"):
            count = counts.get(kind)
            rate = count.toggles / (count.bits * activity.cycles) if count else 0
            cells += [f"{count.bits:,}", f"{rate:.4f}"] if count else ["-", "-"]
        busy.add_row(name, *cells)
    rates = found["rates"]
    console.print(busy)
    console.print(
        "\nmeans: nets {net_toggles_per_bit_cycle:.4f}, registers"
        " {register_toggles_per_bit_cycle:.4f} toggles a bit and cycle; memories"
        " {memory_accesses_per_cycle:.3f} reads a cycle".format(**rates)
    )


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
