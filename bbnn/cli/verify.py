"""`bbnn verify`: the driver and the hardware behind it against the golden model."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bbnn.cli import emit
from bbnn.cli.corrections import correction_option, with_correction
from bbnn.cli.images import dataset_option, default_sample, images_for
from bbnn.errors import InputError, require, require_int
from bbnn.model_file import load

if TYPE_CHECKING:
    from bbnn.correction import Correction
    from bbnn.description import Network
    from boards.platforms import Board

TRANSFERS = 20
"""Steps of the progress bar, each a transfer of its own."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--simulate", is_flag=True, help="On the simulated shell [the Zynq's, or that of --board]."
)
@click.option("--board", "board_name", help="On this board, over SSH or a serial port.")
@click.option("--host", help="USER@HOST of the board; the user must be allowed to load bitstreams.")
@click.option("--port", help="Serial port of the board, such as /dev/ttyUSB0.")
@click.option("--bit", type=click.Path(path_type=Path), help="The board's bitstream.")
@click.option("--images", "count", default=20, show_default=True, help="The first N of the set.")
@click.option("--members", type=int, help="T [the model's].")
@dataset_option
@correction_option
@click.option(
    "--simulator",
    default="verilator",
    type=click.Choice(["verilator", "icarus"]),
    show_default=True,
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [build/NAME].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    simulate: bool,
    board_name: str | None,
    host: str | None,
    port: str | None,
    bit: Path | None,
    count: int,
    members: int | None,
    dataset: str | None,
    correction_file: Path | None,
    simulator: Any,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run test images of MODEL through the driver and compare every logit with the golden model.

    With --simulate, the driver talks to the simulated shell: processor port, DMA, core and memory;
    or the serial line and the core. Without, a deploy folder is run on the board over SSH, or the
    driver here talks to it over a serial port. Exits with 1 if anything differs.

    Example: bbnn verify models/fashion-mlp.safetensors --simulate
    """
    from boards.platforms import board_named
    from golden.network import checked_members, logits

    network = load(model)
    require(simulate or board_name is not None, "verify", "given --simulate or --board", "neither")
    board = board_named(board_name or "pynq-z2")
    dataset = dataset or default_sample(network)
    images, labels = images_for(network, dataset)
    require_int("--images", count, 1, len(images))
    images = images[:count]
    played, correction = with_correction(network, correction_file)
    golden = logits(played, images, checked_members(network, members))
    if simulate:
        folder = output or Path("build") / network.name
        result = simulated(network, images, golden, simulator, folder / "shell", board, correction)
        right = np.array(result.pop("labels")) == labels[:count] if labels is not None else None
        result["accuracy"] = None if right is None else float(right.mean())
    elif labels is None:
        raise InputError(f"--dataset must have labels for a board, not be {dataset}")
    elif board.family == "zynq":
        result = on_board(network, images, labels[:count], golden, board, host, bit, correction)
    else:
        result = on_port(network, images, golden, board, port, correction)
        result["accuracy"] = float((np.array(result.pop("labels")) == labels[:count]).mean())
    if as_json:
        emit(result)
    else:
        show(result)
    if not result["equal"]:
        sys.exit(1)


def simulated(
    network: Network,
    images: NDArray[np.uint8],
    golden: NDArray[np.int64],
    simulator: Any,
    folder: Path,
    board: Board,
    correction: Correction | None = None,
) -> dict[str, Any]:
    """Return what the driver finds on the board's simulated shell, built below `folder`."""
    from boards.shell.simulator import build, connect

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(f"build with {simulator}", total=None)
        command = build(network, folder, simulator, board.family)
        bar.update(task, description="simulate", total=len(images))
        backend = connect(command, board.family)
        result = compared(
            network, images, golden, board, backend, lambda n: bar.advance(task, n), correction
        )
    if board.family != "zynq":
        # The simulated line is faster than the board's, and the rate hangs on it alone.
        result["images_a_second"] = None
    return {**result, "on": simulator, "clock_mhz": board.clock_mhz}


def on_port(
    network: Network,
    images: NDArray[np.uint8],
    golden: NDArray[np.int64],
    board: Board,
    port: str | None,
    correction: Correction | None = None,
) -> dict[str, Any]:
    """Return what the driver finds on a board at a serial port, loaded before."""
    require(port is not None, "--port", f"given for {board.title}", port)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(f"compare on {port}", total=len(images))
        result = compared(
            network, images, golden, board, port, lambda n: bar.advance(task, n), correction
        )
    return {**result, "on": board.name}


def compared(
    network: Network,
    images: NDArray[np.uint8],
    golden: NDArray[np.int64],
    board: Board,
    target: Any,
    progress: Callable[[int], None],
    correction: Correction | None = None,
) -> dict[str, Any]:
    """Return what the driver here finds at `target`."""
    from boards.driver import Accelerator, DriverError
    from boards.driver.verify import compare
    from boards.shell.describe import describe
    from golden.self_test import TESTED, random_words

    batch = -(-len(images) // TRANSFERS)
    words = random_words(network, TESTED)
    clock = None if board.family == "zynq" else board.clock_mhz
    try:
        told = describe(
            network, board.family, clock_mhz=clock, test_words=words, correction=correction
        )
        with Accelerator(target, told, batch=batch) as accelerator:
            return compare(accelerator, images, golden, progress)
    except DriverError as error:
        raise InputError(str(error)) from None


def on_board(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    golden: NDArray[np.int64],
    board: Board,
    host: str | None,
    bit: Path | None,
    correction: Correction | None = None,
) -> dict[str, Any]:
    """Return what the driver finds on a board that is reached over SSH."""
    from boards.shell.bit_header import require_part
    from boards.shell.deploy import SELF_TEST, about, deploy
    from boards.shell.remote import verify_on
    from golden.network import logits
    from golden.self_test import TESTED, random_words

    require(host is not None, "--host", "given with --board, USER@HOST", host)
    require(bit is not None and bit.is_file(), "--bit", "a bitstream for the board", bit)
    assert host is not None
    assert bit is not None
    require_part(bit, board.part, board.title)
    with (
        Console(stderr=True).status(f"running on {host}"),
        tempfile.TemporaryDirectory(prefix="bbnn-") as temporary,
    ):
        folder = Path(temporary) / "deploy"
        clock = about(bit, network).get("clock_mhz")
        words = random_words(network, TESTED)
        tested = logits(network, images[:SELF_TEST], golden.shape[1])
        given = (images, labels, golden, tested, words)
        deploy(network, board, bit, *given, folder, clock, correction)
        return {**verify_on(host, folder), "on": board.name}


def show(result: dict[str, Any]) -> None:
    """Print a result of the driver's `compare`."""
    from boards.driver.verify import summary

    console = Console(highlight=False, soft_wrap=True)
    colour = "green" if result["equal"] else "red"
    console.print(f"[{colour}]{summary(result)}[/{colour}] on {result['on']}")
    if result["accuracy"] is not None:
        console.print(f"accuracy: {result['accuracy']:.3f} of {result['images']} images")
    if result["images_a_second"]:
        at = f" at a clock of {result['clock_mhz']} MHz" if "clock_mhz" in result else ""
        console.print(f"images a second: {result['images_a_second']:,}{at}")
