"""Whether a design fits its part, told before place and route tries for minutes; what would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.folding import estimate, fastest
from boards import synthesis
from boards.parts import PARTS, Part

__all__ = ["TooLargeError", "nearest_that_fits", "require_fit"]


class TooLargeError(InputError):
    """A design needs more of a resource than its part has.

    used, available : of that resource.
    """

    def __init__(self, resource: str, name: str, part: str, used: int, available: int) -> None:
        most = f"at most {available:,} on {part}, not {used:,}"
        super().__init__(f"{resource} of {name} must be {most}, {used - available:,} too many")
        self.resource = resource
        self.used = used
        self.available = available


def nearest_that_fits(network: Network, part: Part, error: TooLargeError) -> str:
    """Return the fastest folding of `network` that fits, in words.

    What was counted, over what the cost model said of it, corrects the model.
    """
    guessed = estimate(network)
    lut, bram36 = part.lut, part.bram36
    if error.resource == "LUT":
        lut = round(lut * min(1, guessed.lut / error.used))
    elif error.resource == "BRAM18":
        bram36 = round(bram36 * min(1, 2 * guessed.bram36 / error.used))
    found = fastest(network, lut, bram36)
    if found is None:
        return "no folding fits, by estimate"
    lanes = ", ".join(
        f"{layer.name} {layer.folding.lanes_in} x {layer.folding.lanes_out}"
        for layer in found.network.layers
    )
    return f"nearest folding that fits, by estimate: {lanes} ({found.cycles:,} cycles an image)"


def part_of(name: str) -> Part:
    """Return what a part has, whatever its package."""
    return next(each for each in PARTS.values() if name.startswith(each.name.split("clg")[0]))


def require_fit(name: str, part: str, stat: Mapping[str, Any]) -> None:
    """Raise `TooLargeError` for the first resource of which Yosys' `stat` has more than `part`."""
    chosen = part_of(part)
    kinds = stat["design"]["num_cells_by_type"]
    cells = {kind: number for kind, number in kinds.items() if kind in synthesis.CELLS}
    needs = synthesis.count(cells, chosen)
    halves = synthesis.Row("BRAM18", 2 * needs.bram36 + needs.bram18, chosen.bram18)
    for row in (*needs.rows, halves):
        if row.used > row.available:
            raise TooLargeError(row.name, name, part, row.used, row.available)
