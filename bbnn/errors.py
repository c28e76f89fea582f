"""How bad input is told: one line, `X must be Y, not Z`.

Everything that a person can get wrong (a file, a field, an option, a missing tool) raises
`InputError`; the command line prints its text and exits with 2. Anything else is our own fault
and keeps its traceback.
"""

from __future__ import annotations

from typing import Any


class InputError(ValueError):
    """Bad input from outside; the message is one line and complete without a traceback."""


def describe(value: Any) -> str:
    """Return `value` as it appears after "not" in a message: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def require(condition: bool, subject: str, expected: str, value: Any) -> None:
    """Raise `InputError` ("`subject` must be `expected`, not `value`") unless `condition` holds."""
    if not condition:
        raise InputError(f"{subject} must be {expected}, not {describe(value)}")


def require_int(subject: str, value: Any, low: int, high: int) -> int:
    """Return `value` if it is an int in ``low..high``, both ends included; raise otherwise."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    require(is_int and low <= value <= high, subject, f"an integer in {low}..{high}", value)
    return int(value)
