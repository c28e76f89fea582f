"""What devices cost: the figures of a network on a chip, with each correction of its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bbnn.description import Logits, Network
from golden.devices.cases import IDEAL, Case
from golden.devices.correction import Correction, corrected, rescaled
from golden.evaluation import Images, judged, scores
from golden.metrics import Labels
from golden.network import Progress, checked_members, logits
from golden.source import Source
from golden.studies.figures import METRICS

Maker = Callable[[], tuple[Network, list[Case]]]
"""Returns the network that is meant and its cases; fit to be pickled."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What one measurement is of: a case (`golden.devices.cases`) on a chip."""

    case: str
    compensated: bool
    chip: int


class DeviceStudy:
    """Measures points, each by itself; it can be pickled.

    cases : of the devices. correction : "off", or the one that the figures are told with, too.
    """

    def __init__(self, cases: Maker, sets: Sets, members: int, correction: Correction) -> None:
        self.cases, self.sets, self.members = cases, sets, members
        off: Correction = "off"
        self.corrections: list[Correction] = [off] if correction == off else [off, correction]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what every process makes anew."""
        names = ("cases", "sets", "members", "corrections")
        return {name: self.__dict__[name] for name in names}

    @cached_property
    def _made(self) -> tuple[Study, dict[tuple[str, bool], Case]]:
        meant, cases = self.cases()
        named = {(case.name, case.compensated): case for case in cases}
        return Study(meant, self.sets, self.members), named

    def kinds(self, case: str) -> list[Correction]:
        """Return the corrections of a case; the ideal one needs none."""
        return self.corrections[:1] if case == IDEAL else self.corrections

    def __call__(self, point: Point) -> dict[str, list[float]]:
        """Return each of `METRICS` behind each of `kinds`."""
        study, cases = self._made
        case = cases[point.case, point.compensated]
        told = study.measure(*case.on_chip(point.chip), self.kinds(point.case))
        for each in told:
            each["auroc"] = each["ood"]["ood"]["entropy"]["auroc"]
        return {name: [each[name] for each in told] for name in METRICS}
