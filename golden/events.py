"""How busy a spiking network is: spikes, and the additions that they cause in the crossbars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network
from bbnn.errors import require
from golden.layer import Reals, Train
from golden.network import Progress, checked_members, passes
from golden.windows import fan_out


@dataclass(frozen=True, kw_only=True, slots=True)
class Events:
    """What happens in one layer per inference, that is per member and image, in the mean.

    spikes : that it puts out in all steps, pooled and added to; 0 for logits. synaptic : one for
    each weight that a spike meets at each position that sees it; None where the input is a current.
    A spike into a dropped map meets none.
    """

    layer: str
    spikes: float
    synaptic: float | None


def events(
    network: Network,
    images: NDArray[np.uint8],
    members: int | None = None,
    progress: Progress = lambda done: None,
) -> list[Events]:
    """Run T members on the images and count; arguments as for `golden.network.logits`.

    Raise `InputError` if the network does not spike.
    """
    require(network.spiking, "the network", "a spiking one", network.name)
    members = checked_members(network, members)
    spikes, synaptic = np.zeros((2, len(network.layers)), np.int64)
    for _, _, sees, trains in passes(network, images, members):
        spikes[:-1] += [train.sum(dtype=np.int64) for train in trains[1:-1]]
        for index, layer in enumerate(network.layers):
            synaptic[index] += _met(layer, trains[index], sees[index][0])
        progress(trains[-1].shape[1])
    inferences = len(images) * members
    return [
        Events(
            layer=layer.name,
            spikes=float(spikes[index] / inferences),
            synaptic=None
            if index == 0 and network.encoding == "constant"
            else float(synaptic[index] / inferences),
        )
        for index, layer in enumerate(network.layers)
    ]


def _met(layer: Layer, train: Train, matrices: Sequence[Reals]) -> int:
    """Return how many weights the spikes of a train meet."""
    shape: tuple[int, ...] = (layer.rows,)
    positions = np.ones(1, np.int64)
    if layer.window is not None:
        shape, positions = layer.window.shape, fan_out(layer.window)[..., None]
    total = 0
    for step, spikes in enumerate(train):
        # The rows of a dropped map are 0, of another +-1.
        kept = matrices[step % len(matrices)][:: layer.taps, 0] != 0
        driven = spikes.reshape(-1, *shape).sum(axis=0, dtype=np.int64)
        total += int((driven * positions * kept).sum())
    return total * layer.columns
