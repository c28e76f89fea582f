"""`bbnn simulate`: the generated Verilog against the golden model, every logit of every member."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bbnn.cli import emit
from bbnn.cli.array import array_option, folder_for, reads_of, with_macros
from bbnn.cli.corrections import correction_option, with_correction
from bbnn.cli.images import dataset_option, default_sample, images_for
from bbnn.description import Network
from bbnn.early_exit import RULES, exit_of
from bbnn.errors import require, require_int
from bbnn.model_file import load
from bbnn.schedule import member_cycles

if TYPE_CHECKING:
    from hdl.macro import Array
    from tb.verify import Verdict

WAVES_IMAGES = 10
"""Most images of a run that records waves: the file grows by megabytes an image."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--images", "count", default=100, show_default=True, help="The first N of the set.")
@click.option("--members", type=int, help="T [the model's].")
@click.option(
    "--simulator",
    default="verilator",
    type=click.Choice(["verilator", "icarus"]),
    show_default=True,
)
@dataset_option
@click.option(
    "--stalls", default=0.0, show_default=True, help="Percent of cycles in which a handshake waits."
)
@array_option
@click.option(
    "--chip", default=1, show_default=True, help="Of PCM, whose cells the macros have (its seed)."
)
@click.option("--time", default="1h", show_default=True, help="Since the chip was programmed.")
@correction_option
@click.option(
    "--exit", "rule", default="off", type=click.Choice([*RULES]), help="Rule of early exit."
)
@click.option("--margin", type=float, help="Of the rule margin, in logits.")
@click.option("--waves", is_flag=True, help=f"Record waves, of {WAVES_IMAGES} images at most.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    count: int,
    members: int | None,
    simulator: Any,
    dataset: str | None,
    stalls: float,
    array: Array,
    chip: int,
    time: str,
    correction_file: Path | None,
    rule: str,
    margin: float | None,
    waves: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Simulate the Verilog of MODEL on test images and compare it with the golden model.

    Every logit of every member, every sum, every vote and every packet's header must be equal;
    otherwise the first difference is located and the command exits with 1. With --array macro the
    sampled crossbars are macros that read what golden's PCM chip reads.

    Example: bbnn simulate models/fashion-mlp.safetensors --images 20 --simulator icarus
    """
    from golden.network import checked_members
    from hdl.generate import generate
    from tb.setup import Setup
    from tb.verify import verify

    network = load(model)
    dataset = dataset or default_sample(network)
    images, _ = images_for(network, dataset)
    most = min(len(images), WAVES_IMAGES) if waves else len(images)
    require_int("--images with --waves" if waves else "--images", count, 1, most)
    require(0 <= stalls <= 90, "--stalls", "in 0..90", stalls)
    setup = Setup(
        members=checked_members(network, members),
        stalls=stalls,
        correction=with_correction(network, correction_file)[1],
        exit=exit_of(network, rule, margin),
    )
    folder = output or folder_for(network, array)
    reads = reads_of(network, chip, time) if array == "macro" else None
    with stages(count, setup.members) as progress:
        progress("generate", 0)
        verilog = generate(network, folder, array)
        if reads is not None:
            setup = with_macros(setup, network, reads, count, folder / "streams")
        progress("generate", 1)
        verdict = verify(
            network,
            verilog,
            images[:count],
            setup,
            simulator,
            folder / "simulation",
            processes=1 if waves else None,
            waves=waves,
            progress=progress,
        )
    result = {
        "network": network.name,
        "simulator": simulator,
        "dataset": dataset,
        "stalls_percent": stalls,
        "array": array,
        "exit": rule,
        "correction": str(correction_file) if correction_file else None,
        **summary(network, verdict, count, setup.members),
        "files": str(folder),
    }
    if as_json:
        emit(result)
    else:
        _print(result)
    if not verdict.equal:
        sys.exit(1)


def summary(network: Network, verdict: Verdict, images: int, members: int) -> dict[str, Any]:
    """Return what a verdict comes to, for JSON: counts, cycles, seconds, the first difference."""
    comparison, outcome = verdict.comparison, verdict.outcome
    result: dict[str, Any] = {
        "images": images,
        "members": members,
        "equal": verdict.equal,
        "members_equal": comparison.members - comparison.wrong_members if comparison else 0,
        "members_compared": comparison.members if comparison else 0,
        "images_equal": images - len(comparison.wrong_images) if comparison else 0,
        "stopped": verdict.stopped or None,
        "difference": asdict(verdict.difference) if verdict.difference else None,
        "build_seconds": round(verdict.build_seconds, 1),
    }
    if outcome:
        measured = outcome.cycles_per_member
        counted = outcome.fields["members"]
        result |= {
            "mean_members": round(float(counted.mean()), 2),
            "members_of_images": np.bincount(counted[:, 0], minlength=members + 1)[1:].tolist(),
            "cycles_per_image_measured": measured and round(measured * members, 1),
            "seconds": round(outcome.seconds, 1),
            "cycles": outcome.cycles,
            "cycles_per_second": round(outcome.cycles / outcome.seconds),
            "image_members_per_second": round(images * members / outcome.seconds, 1),
            "cycles_per_member_measured": measured and round(measured, 1),
            "cycles_per_member_predicted": member_cycles(network, members),
            "waves": [str(path) for path in outcome.waves],
        }
    return result


@contextmanager
def stages(images: int, members: int) -> Iterator[Callable[[str, int], None]]:
    """Show a bar per stage of `tb.verify.verify` on stderr; yield what it wants as `progress`."""
    totals = {"generate": 1, "build": 1, "simulate": images, "golden": images * members}
    bar = Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=totals.get(stage))
        bar.advance(tasks[stage], done)

    with bar:
        yield progress


def _print(result: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if result["stopped"]:
        console.print("[red]stopped[/red]:", escape(result["stopped"]))
    else:
        colour = "green" if result["equal"] else "red"
        members = "{members_equal}/{members_compared}".format(**result)
        packets = "{images_equal}/{images}".format(**result)
        console.print(f"[{colour}]members equal {members}, packets equal {packets}[/{colour}]")
    difference = result["difference"]
    if difference:
        place = "image {image}, member {member}, layer {layer}, neuron {neuron}".format(
            **difference
        )
        got = "nothing or unknown bits" if difference["got"] is None else difference["got"]
        console.print(f"first difference: {place}: expected {difference['expected']}, got {got}")
    elif not result["equal"]:
        console.print("no layer's output differs")
    if "seconds" in result:
        cycles = "{cycles_per_member_predicted} predicted"
        if result["cycles_per_member_measured"] is not None:  # a process with two images tells
            cycles = "{cycles_per_member_measured} measured, " + cycles
        speed = "{cycles:,} in {seconds} s, {cycles_per_second:,} a second"
        console.print("cycles per member:", cycles.format(**result))
        console.print("cycles:", speed.format(**result))
        console.print("image-members a second: {image_members_per_second:,}".format(**result))
        console.print("build: {build_seconds} s".format(**result))
        if result.get("exit", "off") != "off":
            console.print(
                "members counted: {mean_members} of {members} on average".format(**result)
            )
            console.print("cycles per image: {cycles_per_image_measured} measured".format(**result))
        for path in result["waves"]:
            console.print("waves:", escape(path))
    console.print("files:", escape(result["files"]))
