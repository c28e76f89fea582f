"""Simulate a generated core on images, in as many processes as the machine has cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.interface import unpack
from tb.build import WAVES, Build
from tb.play import Played, SimulationError, beats, play
from tb.setup import Setup, packet_words

Progress = Callable[[int], None]
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the packets of N images say, and how long they took.

    fields : name of a packet's field (`bbnn.interface.packet`) -> int64, shape (N, words), and
    (N, T, classes) for "member_logits"; "image" counts through all N.
    parts : first image of each process, then what it left. seconds : of the slowest process.
    waves : files of recorded waves, one a process, if the build records them.
    """

    fields: dict[str, NDArray[np.int64]]
    members: int
    parts: tuple[tuple[int, Played], ...]
    seconds: float
    waves: tuple[Path, ...] = ()

    @property
    def cycles(self) -> int:
        """Clock cycles of all processes, from the first beat to the last packet."""
        return sum(
            played.found["last_packet"] - played.found["first_beat"] for _, played in self.parts
        )

    @property
    def cycles_per_member(self) -> float | None:
        """Cycles from packet to packet, by T; None where no process had two images."""
        gaps = sum(len(played.words) - 1 for _, played in self.parts)
        steady = sum(
            played.found["last_packet"] - played.found["first_packet"] for _, played in self.parts
        )
        return steady / gaps / self.members if gaps else None


def simulate(
    build: Build,
    network: Network,
    images: NDArray[np.uint8],
    setup: Setup,
    folder: Path,
    *,
    processes: int | None = None,
    progress: Progress = lambda done: None,
) -> Outcome:
    """Return what the core says of `images`, uint8, shape (N, *input_shape).

    folder : for the files of the run. processes : as many as there are cores if None; one where
    the random streams run on from image to image. progress : called with the number of packets
    since its last call. Raise `SimulationError` as `tb.play.play` does.
    """
    count = processes or _cores()
    if network.ensemble.reseed == "never":
        count = 1
    starts = np.array_split(np.arange(len(images)), min(count, len(images)))
    started = perf_counter()
    with ThreadPoolExecutor(len(starts)) as pool:
        futures: list[Future[Played]] = []
        outputs = []
        for number, part in enumerate(starts):
            where = folder / f"part-{number}"
            outputs.append(where / "output.bin")
            outputs[-1].unlink(missing_ok=True)
            futures.append(pool.submit(play, build, network, beats(images[part]), setup, where))
        _report(futures, outputs, 8 * packet_words(network, setup), progress)
    parts = []
    for part, future in zip(starts, futures, strict=True):
        try:
            parts.append((int(part[0]), future.result()))
        except SimulationError as error:
            error.start = int(part[0])
            error.image = min(error.start + error.image, int(part[-1]))
            raise
    fields = [
        unpack(network, played.words, setup.members, setup.member_logits) for _, played in parts
    ]
    for (first, _), field in zip(parts, fields, strict=True):
        field["image"] += first
    return Outcome(
        fields={name: np.concatenate([field[name] for field in fields]) for name in fields[0]},
        members=setup.members,
        parts=tuple(parts),
        seconds=perf_counter() - started,
        waves=tuple(path.with_name(WAVES[build.simulator]) for path in outputs if build.waves),
    )


def _report(
    futures: list[Future[Played]], outputs: list[Path], packet_bytes: int, progress: Progress
) -> None:
    """Call `progress` with the packets that appear in the output files until all are done."""
    told = 0
    while True:
        running = wait(futures, POLL_SECONDS).not_done
        sizes = (path.stat().st_size for path in outputs if path.is_file())
        packets = sum(size // packet_bytes for size in sizes)
        progress(packets - told)
        told = packets
        if not running:
            return


def _cores() -> int:
    """Return the cores that this process may use; where that is not known, those that exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
