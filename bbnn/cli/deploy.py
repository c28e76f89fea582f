"""`bbnn deploy`: the folder that goes to a board."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from bbnn import data
from bbnn.cli import emit
from bbnn.cli.corrections import correction_option, with_correction
from bbnn.cli.images import labelled_sample, require_shape
from bbnn.errors import require, require_int
from bbnn.model_file import load


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--bit", required=True, type=click.Path(path_type=Path), help="Its bitstream.")
@click.option("--board", "board_name", help="Board [that in bitstream.json, or pynq-z2].")
@click.option("--images", "count", default=100, show_default=True, help="The first N of the set.")
@click.option("--members", type=int, help="T [the model's].")
@click.option(
    "--dataset",
    type=click.Choice(data.NAMES),
    help="Labelled images [the sample of the network's own set].",
)
@click.option("--clock", type=float, help="Of the bitstream, MHz [that in bitstream.json].")
@correction_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME/deploy].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    bit: Path,
    board_name: str | None,
    count: int,
    members: int | None,
    dataset: str | None,
    clock: float | None,
    correction_file: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write what a board needs to run MODEL: bitstream, driver, notebook, images with answers.

    Copied to the board, `sudo python3 -m boards.driver.verify` in it compares every logit with
    golden. It needs NumPy there, and PYNQ to load the bitstream. For a board without a processor,
    the folder stays on the machine at its cable, and there is a script instead of a notebook.

    Example: bbnn deploy models/fashion-mlp.safetensors --bit fashion_mlp.bit
    """
    from boards.platforms import board_named
    from boards.shell.deploy import SELF_TEST, about, deploy
    from golden.network import checked_members, logits
    from golden.self_test import TESTED, random_words

    network = load(model)
    require(bit.is_file(), str(bit), "a bitstream", "missing")
    known = about(bit, network)
    board = board_named(board_name or known.get("board", "pynq-z2"))
    clock = clock or known.get("clock_mhz")
    dataset = dataset or labelled_sample(network)
    images, labels = data.load(dataset)
    require_shape(network, dataset, images)
    require_int("--images", count, 1, len(images))
    images, labels = images[:count], labels[:count]
    played, correction = with_correction(network, correction_file)
    with Console(stderr=True).status("evaluating the golden model"):
        golden = logits(played, images, checked_members(network, members))
        tested = logits(network, images[:SELF_TEST], golden.shape[1])
    folder = output or Path("build") / network.name / "deploy"
    words = random_words(network, TESTED)
    given = (images, labels, golden, tested, words)
    names = deploy(network, board, bit, *given, folder, clock, correction)
    result = {
        "folder": str(folder),
        "files": names,
        "clock_mhz": clock,
        "board": board.name,
        "images": count,
        "members": golden.shape[1],
    }
    if as_json:
        emit(result)
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{folder}[/bold]: {len(names)} files, {count} images")
    if clock is None:
        console.print("clock: unknown, so the board's own is kept; --clock sets it")
    if board.family == "zynq":
        where, verify = "on the board", f"sudo python3 -m boards.driver.verify {bit.name}"
    else:
        where, verify = "at its cable", "python3 -m boards.driver.verify /dev/ttyUSB0"
    console.print(f"{where}, in the folder: {verify}")
