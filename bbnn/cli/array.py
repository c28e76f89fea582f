"""What samples the weights in hardware: the option of `generate`, `simulate` and `synth`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bbnn.description import Network
from bbnn.errors import require, require_int

if TYPE_CHECKING:
    from golden.devices.network import Reads
    from hdl.macro import Array
    from tb.setup import Setup

array_option = click.option(
    "--array",
    type=click.Choice(["lanes", "macro"]),
    default="lanes",
    show_default=True,
    help="What samples weights: lanes, or macros as black boxes.",
)


def folder_for(network: Network, array: Array) -> Path:
    """Return the folder that files of a network go to unless told."""
    return Path("build") / (network.name if array == "lanes" else f"{network.name}-{array}")


def reads_of(network: Network, chip: int, time: str) -> Reads:
    """Return what a compensated PCM chip of the default cells reads, `time` after programming."""
    from bbnn.cli.device import parsed
    from golden.devices.mapping import Cells
    from golden.devices.network import Moment, Reads
    from hdl.macro import require_macros

    require_macros(network)
    require_int("--chip", chip, 0, 2**32 - 1)
    times = parsed(time)
    require(len(times) == 1, "--time", "one time", time)
    moment = Moment(cells=Cells(), chip=chip, time=next(iter(times.values())), compensated=True)
    return Reads(moment)


def with_macros(setup: Setup, network: Network, reads: Reads, images: int, folder: Path) -> Setup:
    """Write what `images` images see to `folder`, and return the set-up that reads it."""
    from golden.devices.stream import write_streams

    write_streams(network, reads, images, setup.members, folder)
    return replace(setup, source=reads, streams=folder)
