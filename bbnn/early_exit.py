"""Early exit: which rule ends an image's members before all T have run.

vote : when no vote of the members that are left can change which class has most, the first of
    equals; so the winner is exactly that of all T.
margin : when, after at least two members, the largest sum of logits leads the next by `margin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bbnn.description import Network
from bbnn.errors import require, require_int

Rule = Literal["off", "vote", "margin"]
RULES: dict[str, int] = {"off": 0, "vote": 1, "margin": 2}
"""Names and numbers in register EXIT."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """A rule; margin : in units of the integer logits, 0..2**32-1, 0 unless that is the rule."""

    rule: Rule
    margin: int = 0

    def __post_init__(self) -> None:
        require(self.rule in RULES, "the exit rule", f"one of {', '.join(RULES)}", self.rule)
        require_int("margin", self.margin, 0, 2**32 - 1 if self.rule == "margin" else 0)

    @property
    def register_writes(self) -> dict[str, int]:
        """What goes into which register."""
        return {"EXIT": RULES[self.rule], "MARGIN": self.margin}


ALL = Exit(rule="off")


def require_early_exit(network: Network) -> None:
    """Raise `InputError` if the hardware of `network` cannot stop an image's members."""
    has = network.ensemble.early_exit
    require(has, f"{network.name}: ensemble.early_exit", "true for a rule (bbnn registers)", has)


def exit_of(network: Network, rule: str, margin: float | None) -> Exit:
    """Return the rule of options: `margin` in logits, given exactly with the rule "margin"."""
    given = (rule == "margin") == (margin is not None)
    require(given, "--margin", "given with --exit margin, and only then", margin)
    if rule != "off":
        require_early_exit(network)
    units = round((margin or 0) * 2**network.output.fraction_bits)
    return Exit(rule=rule, margin=units)  # type: ignore[arg-type]
