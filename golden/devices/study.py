"""What devices cost: the figures of a network on a chip, with each correction of its logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bbnn.description import Logits, Network
from golden.devices.correction import Correction, corrected, rescaled
from golden.evaluation import Images, judged, scores
from golden.metrics import Labels
from golden.network import Progress, checked_members, logits
from golden.source import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """Images, uint8: to measure with their labels (N,), out of distribution, and to calibrate."""

    images: Images
    labels: Labels
    ood: Images
    calibration: Images

    def __len__(self) -> int:
        return len(self.images) + len(self.ood) + len(self.calibration)


class Study:
    """Measures chips of the network that they are meant to be."""

    def __init__(
        self,
        meant: Network,
        sets: Sets,
        members: int | None = None,
        progress: Progress = lambda done: None,
    ) -> None:
        """Run `meant` on the calibration images. progress : as in `golden.network.logits`."""
        self.sets, self._progress = sets, progress
        self.members = checked_members(meant, members)
        self._output = meant.output
        self._meant = logits(meant, sets.calibration, self.members, progress)

    def calibrated(self, network: Network, source: Source, kind: Correction) -> Logits:
        """Return the output neuron that corrects `network`, as `measure` makes it."""
        seen = logits(network, self.sets.calibration, self.members, self._progress, source=source)
        return corrected(self._output, seen, self._meant, kind)

    def measure(
        self, network: Network, source: Source, corrections: Sequence[Correction]
    ) -> list[dict[str, Any]]:
        """Return the figures of `network` behind each of the corrections of its logits.

        network : the meant one, with other codes and seeds. source : of its weights.
        """
        each = (self.sets.images, self.sets.ood, self.sets.calibration)
        *raw, seen = (
            logits(network, part, self.members, self._progress, source=source) for part in each
        )
        result = []
        for kind in corrections:
            other = corrected(self._output, seen, self._meant, kind)
            test, ood = (
                scores(rescaled(part, self._output, other), other.fraction_bits) for part in raw
            )
            result.append(judged(test, {"ood": ood}, self.sets.labels))
        return result
