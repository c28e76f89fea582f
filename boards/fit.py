"""Whether a design fits its part, told before place and route tries for minutes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bbnn.errors import InputError
from boards import synthesis
from boards.parts import PARTS

__all__ = ["require_fit"]


def require_fit(name: str, part: str, stat: Mapping[str, Any]) -> None:
    """Raise `InputError` naming the first resource of which Yosys' `stat` has more than `part`."""
    chosen = next(each for each in PARTS.values() if part.startswith(each.name.split("clg")[0]))
    kinds = stat["design"]["num_cells_by_type"]
    cells = {kind: number for kind, number in kinds.items() if kind in synthesis.CELLS}
    needs = synthesis.count(cells, chosen)
    halves = synthesis.Row("BRAM18", 2 * needs.bram36 + needs.bram18, chosen.bram18)
    for row in (*needs.rows, halves):
        if row.used > row.available:
            raise InputError(
                f"{row.name} of {name} must be at most {row.available:,} on {part}, not "
                f"{row.used:,}: fold its layers more (lanes_in, lanes_out)"
            )
