"""Find where the core and the golden model part: the image, member, layer and neuron."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.network import trace
from tb.build import Build
from tb.play import SimulationError, beats, play
from tb.probes import outputs, transfers
from tb.setup import Setup, as_set_up


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first output that differs, in the order in which the layer puts them out.

    neuron : its number in the layer's output, as `golden.network.trace` counts. got : None where
    nothing came.
    """

    image: int
    member: int
    layer: str
    neuron: int
    expected: int
    got: int | None


def locate(
    probed: Build,
    network: Network,
    images: NDArray[np.uint8],
    image: int,
    start: int,
    setup: Setup,
    folder: Path,
) -> Difference | None:
    """Return the first difference within image number `image`; None if all layers are right.

    probed : a build with `tb.probes`. start : the image that the differing simulation began with.
    The image is simulated again, alone if its result depends on it alone; if it turns out right,
    after all that preceded it.
    """
    path = (folder / "probes.txt").absolute()
    alone = [image] if network.ensemble.reseed == "image" and image > start else []
    for first in [*alone, start]:
        stream = images[first : image + 1]
        path.unlink(missing_ok=True)
        with contextlib.suppress(SimulationError):
            play(probed, network, beats(stream), setup, folder, [f"+probes={path}"])
        found = _first(as_set_up(network, setup), stream, setup, path, image)
        if found:
            return found
    return None


def _first(
    network: Network, stream: NDArray[np.uint8], setup: Setup, path: Path, image: int
) -> Difference | None:
    """Compare with golden what the layers put out for the last image of `stream`."""
    last, members = len(stream) - 1, setup.members
    payloads = transfers(path)
    for member in range(members):
        golden = trace(network, stream, last, member, members, setup.source)
        for index, expected in enumerate(golden):
            each = index >= network.first_ensembling
            number = last * members + member if each else last
            got = outputs(network, index, payloads[index], number)
            differs = np.flatnonzero(got != expected[: len(got)])
            neuron = int(differs[0]) if len(differs) else len(got)
            if neuron < len(expected):
                return Difference(
                    image=image,
                    member=member,
                    layer=network.layers[index].name,
                    neuron=neuron,
                    expected=int(expected[neuron]),
                    got=int(got[neuron]) if neuron < len(got) else None,
                )
    return None
