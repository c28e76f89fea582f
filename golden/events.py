"""How busy a spiking network is: spikes, and the additions that they cause in the crossbars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network
from bbnn.errors import require
from golden.layer import Reals, Train
from golden.network import Progress, Seen, checked_members, logits
from golden.windows import fan_out

Counts = NDArray[np.float64]
"""Events per inference, in the mean over an image's members, shape (images,)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Events:
    """What happens in one layer per inference, that is per member, of every image.

    spikes : that it puts out in all steps, pooled and added to; 0 for logits. synaptic : one for
    each weight that a spike meets at each position that sees it; None where the input is a current.
    A spike into a dropped map meets none.
    """

    layer: str
    spikes: Counts
    synaptic: Counts | None


class Counter:
    """Counts while `golden.network.logits` runs `images` images: it is a `watch` of it."""

    def __init__(self, network: Network, images: int) -> None:
        """Raise `InputError` if the network does not spike."""
        require(network.spiking, "the network", "a spiking one", network.name)
        self.network = network
        self._spikes, self._synaptic = np.zeros((2, len(network.layers), images), np.int64)

    def __call__(
        self, rows: slice, sees: Sequence[Seen], train: Train, outputs: Sequence[Train]
    ) -> None:
        """Count what one member does with the images `rows`."""
        for index, (layer, output) in enumerate(zip(self.network.layers, outputs, strict=True)):
            self._synaptic[index, rows] += _met(layer, train, sees[index][0])
            if index < len(outputs) - 1:
                self._spikes[index, rows] += output.sum(axis=(0, 2), dtype=np.int64)
            train = output

    def events(self, members: int) -> list[Events]:
        """Return the events of every layer, after `members` members."""
        current = self.network.encoding == "constant"
        return [
            Events(
                layer=layer.name,
                spikes=self._spikes[index] / members,
                synaptic=None if index == 0 and current else self._synaptic[index] / members,
            )
            for index, layer in enumerate(self.network.layers)
        ]


def events(
    network: Network,
    images: NDArray[np.uint8],
    members: int | None = None,
    progress: Progress = lambda done: None,
) -> list[Events]:
    """Run T members on the images and count; arguments as for `golden.network.logits`.

    Raise `InputError` if the network does not spike.
    """
    counter = Counter(network, len(images))
    logits(network, images, members, progress, counter)
    return counter.events(checked_members(network, members))


def summary(counted: Sequence[Events]) -> dict[str, Any]:
    """Return, for JSON, mean and standard deviation over the images, of all layers and of each."""
    return {
        "spikes": _spread(sum(each.spikes for each in counted)),
        "synaptic_events": _spread(
            sum(each.synaptic for each in counted if each.synaptic is not None)
        ),
        "layers": {
            each.layer: {
                "spikes": _spread(each.spikes),
                "synaptic_events": None if each.synaptic is None else _spread(each.synaptic),
            }
            for each in counted
        },
    }


def _spread(counts: Any) -> dict[str, float]:
    return {"mean": float(np.mean(counts)), "deviation": float(np.std(counts))}


def _met(layer: Layer, train: Train, matrices: Sequence[Reals]) -> NDArray[np.int64]:
    """Return how many weights the spikes of a train (steps, N, rows or pixels) meet, shape (N,)."""
    positions = np.ones((1, 1), np.int64) if layer.window is None else fan_out(layer.window)
    total = np.zeros(train.shape[1], np.int64)
    for step, spikes in enumerate(train):
        # The rows of a dropped map are 0, of another +-1.
        kept = matrices[step % len(matrices)][:: layer.taps, 0] != 0
        # Sums of 16-bit counts in float64 are exact, and fast.
        total += (spikes @ (positions[..., None] * kept).ravel().astype(float)).astype(np.int64)
    return total * layer.columns
