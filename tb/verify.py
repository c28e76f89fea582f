"""Build, simulate, compare and, where something differs, locate: what `bbnn simulate` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.early_exit import ALL
from golden.network import logits, pixels
from tb.build import Simulator, build
from tb.compare import Comparison, compare
from tb.locate import Difference, locate
from tb.play import SimulationError
from tb.probes import probes
from tb.run import Outcome, simulate
from tb.setup import Setup, as_set_up

Stage = Literal["build", "simulate", "golden", "locate"]
Progress = Callable[[Stage, int], None]
"""Called with a stage and what was done in it since the last call: packets, image-members, or 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a verification found.

    stopped : why the simulation was cut off, else empty; then there is nothing to compare.
    difference : where the first wrong image parts from golden; None if it does not, or if every
    layer is right and the packet is wrong all the same.
    """

    build_seconds: float
    outcome: Outcome | None = None
    comparison: Comparison | None = None
    stopped: str = ""
    difference: Difference | None = None

    @property
    def equal(self) -> bool:
        """Whether all packets came and say what golden says."""
        return self.comparison is not None and self.comparison.equal


def verify(
    network: Network,
    verilog: Path,
    images: NDArray[np.uint8],
    setup: Setup,
    simulator: Simulator,
    folder: Path,
    *,
    builds: Path | None = None,
    processes: int | None = None,
    level: str = "-O1",
    waves: bool = False,
    progress: Progress = lambda stage, done: None,
) -> Verdict:
    """Hold the core in `verilog` against the golden model of `network` on `images`.

    Builds go to `builds`, by default ``folder/build``, where they are found again; what a run
    leaves goes to ``folder/run``, and to ``folder/probes`` where a difference was located. Raise
    `InputError` where a tool is missing or the images do not fit, and `BuildError` where the
    Verilog does not compile.
    """
    pixels(network, images[:1])  # Images that do not fit are refused before a long build.
    progress("build", 0)
    started = perf_counter()
    builds = builds or folder / "build"
    made = build(network.name, verilog, simulator, builds, waves=waves, level=level)
    built = perf_counter() - started
    progress("build", 1)

    progress("simulate", 0)
    try:
        outcome = simulate(
            made,
            network,
            images,
            setup,
            folder / "run",
            processes=processes,
            progress=lambda done: progress("simulate", done),
        )
    except SimulationError as error:
        outcome, comparison = None, None
        image, start, stopped = error.image, error.start, str(error)
    else:
        progress("golden", 0)
        played = as_set_up(network, setup)
        golden = logits(
            played,
            images,
            setup.members,
            lambda done: progress("golden", done),
            source=setup.source,
        )
        comparison, stopped = compare(outcome, golden, setup.exit), ""
        if comparison.equal:
            return Verdict(build_seconds=built, outcome=outcome, comparison=comparison)
        image = comparison.wrong_images[0]
        start = max(first for first, _ in outcome.parts if first <= image)

    progress("locate", 0)
    # Layers are compared with all members run: what an early exit cuts off cannot be counted.
    setup = replace(setup, exit=ALL)
    watch = probes(network)
    probed = build(network.name, verilog, simulator, builds, probes=watch, level=level)
    return Verdict(
        build_seconds=built,
        outcome=outcome,
        comparison=comparison,
        stopped=stopped,
        difference=locate(probed, network, images, image, start, setup, folder / "probes"),
    )
