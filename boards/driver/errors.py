"""How the driver says what is wrong: one line, `X must be Y, not Z`."""

from __future__ import annotations

__all__ = ["DriverError", "require"]


class DriverError(RuntimeError):
    """The board, the bitstream or the input is not what it must be; the message is one line."""


def require(condition: bool, subject: str, expected: str, value: object) -> None:
    """Raise `DriverError` ("`subject` must be `expected`, not `value`") unless `condition`."""
    if not condition:
        raise DriverError(f"{subject} must be {expected}, not {value}")
