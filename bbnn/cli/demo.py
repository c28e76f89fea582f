"""`bbnn demo`: the whole chain on a shipped network and real images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.evaluate import draw
from bbnn.cli.images import default_ood
from bbnn.cli.simulate import summary
from bbnn.errors import require_int
from bbnn.model_file import load

MODEL = Path(__file__).parents[2] / "models" / "fashion-mlp.safetensors"
PART = "xc7z020clg400-1"


@click.command()
@click.option("--model", type=click.Path(path_type=Path), default=MODEL, help="Another network.")
@click.option("--images", "count", default=100, show_default=True, help="Images to simulate.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for all files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(model: Path, count: int, output: Path, as_json: bool) -> None:
    """Generate, simulate, compare, evaluate and synthesize the shipped network.

    Exits with 1 unless every logit of every member in the simulated Verilog is golden's.

    Example: bbnn demo --images 200
    """
    from boards.synthesis import synthesize
    from golden.evaluation import evaluate
    from hdl.generate import generate
    from tb.setup import Setup
    from tb.verify import verify

    network = load(model)
    images, labels = data.load(data.SAMPLE)
    require_int("--images", count, 1, len(images))
    members = network.ensemble.members
    ood = {name: data.ood(name, images) for name in default_ood(data.SAMPLE)}

    with stages() as stage, ThreadPoolExecutor(1) as beside:
        writes = stage("write the Verilog", 1)
        verilog = generate(network, output)
        writes(1)
        # Synthesis takes one core while the simulator is built and run on the other.
        synthesizes = stage(f"synthesize for {PART}", None)
        synthesis = beside.submit(synthesize, verilog, network.name, PART, output / "synthesis")
        work = sum(map(len, (images, *ood.values()))) * (members + 1)
        evaluates = stage("evaluate", work)
        outcome = evaluate(network, images, labels, ood, members, progress=evaluates)
        bars: dict[str, Callable[[int], None]] = {}
        totals = {"build": 1, "simulate": count, "golden": count * members, "locate": None}

        def progress(name: str, done: int) -> None:
            if name not in bars:
                bars[name] = stage(
                    f"{name} in Verilator" if name == "simulate" else name, totals[name]
                )
            bars[name](done)

        verdict = verify(
            network,
            verilog,
            images[:count],
            Setup(members=members),
            "verilator",
            output / "simulation",
            processes=1,
            progress=progress,
        )
        resources = synthesis.result()
        resources.require_no_dsp()
        synthesizes(1)

    told = {"model": network.name, "dataset": data.SAMPLE, **outcome.figures}
    picture = output / "report.png"
    draw(picture, network, images, labels, ood, outcome, {**told, "average": "softmax"})
    result = {
        "evaluation": told,
        "simulation": summary(network, verdict, count, members),
        "synthesis": resources.as_json(),
        "files": {"verilog": str(verilog), "report": str(picture), "folder": str(output)},
    }
    if as_json:
        emit(result)
    else:
        show(result, Console(highlight=False))
    if not verdict.equal:
        sys.exit(1)


@contextmanager
def stages() -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Show stages as bars on stderr; yield what adds one and returns what advances it."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:

        def add(title: str, total: int | None) -> Callable[[int], None]:
            task = bar.add_task(title, total=total)

            def advance(done: int) -> None:
                if total is None and done:
                    bar.update(task, total=done)
                bar.advance(task, done)

            return advance

        yield add


def show(result: dict[str, Any], console: Console) -> None:
    """Print the one summary."""
    simulated, measured = result["simulation"], result["evaluation"]
    entropy, single = measured["entropy"], measured["deterministic"]
    colour = "green" if simulated["equal"] else "red"
    rows = Table(box=None, show_header=False, pad_edge=False)
    rows.add_column(style="bold")
    rows.add_column()
    rows.add_row(
        "members equal",
        f"[{colour}]{simulated['members_equal']}/{simulated['members_compared']}[/], every logit:"
        f" {simulated['images']} images x {simulated['members']} members, Verilator against golden",
    )
    rows.add_row(
        "accuracy",
        f"{measured['accuracy']:.4f}   NLL {measured['nll']:.4f}   ECE {measured['ece']:.4f}"
        f"   on {measured['images']:,} images of {measured['dataset']}",
    )
    rows.add_row(
        "deterministic pass",
        f"{single['accuracy']:.4f}   NLL {single['nll']:.4f}   ECE {single['ece']:.4f}",
    )
    rows.add_row(
        "mean entropy",
        f"right {entropy['right']:.3f}   wrong {entropy['wrong']:.3f}",
    )
    for name, found in measured["ood"].items():
        rows.add_row(
            f"{found['images']:,} of {name}",
            "mean entropy {mean:.3f}   AUROC {auroc:.3f}".format(**found["entropy"]),
        )
    rows.add_row(
        "cycles per member",
        f"{simulated.get('cycles_per_member_measured')} measured,"
        f" {simulated.get('cycles_per_member_predicted'):.1f} predicted",
    )
    rows.add_row("", "")
    for resource in result["synthesis"]["resources"]:
        share = resource["share"]
        rows.add_row(resource["name"], f"{resource['used']:>7,}  {share:6.1%} of {PART}")
    rows.add_row("", "")
    for name, path in result["files"].items():
        rows.add_row(name, path)
    console.print()
    console.print(rows)
