"""What a network would cost in silicon: counts from the description times cited constants.

Area, energy, time and efficiency of a network in several technologies, and of its baselines. Every
figure is a projection with a range; `docs/projection.md` says what is modelled and what not.
"""

from __future__ import annotations

from bbnn.projection.baselines import baselines_of
from bbnn.projection.constants import Constant, Prices, Range, ranged, table
from bbnn.projection.counts import Mode, Split, split
from bbnn.projection.model import Projection, project, told
from bbnn.projection.technologies import TECHNOLOGIES, Technology

__all__ = [
    "TECHNOLOGIES",
    "Constant",
    "Mode",
    "Prices",
    "Projection",
    "Range",
    "Split",
    "Technology",
    "baselines_of",
    "project",
    "ranged",
    "split",
    "table",
    "told",
]
