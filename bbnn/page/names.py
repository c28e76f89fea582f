"""How a page writes names and shares."""

from __future__ import annotations


def plain(name: str) -> str:
    """Return a name as a person would write it."""
    return name.replace("_", " ").replace("-", " ")


def named(dataset: str) -> str:
    """Return a data set's name as its authors write it."""
    words = {"mnist": "MNIST", "fashion": "Fashion", "cifar": "CIFAR"}
    return "-".join(words.get(word, word) for word in dataset.split("-"))


def percent(share: float, digits: int = 1) -> str:
    """Return a share as it stands in a text."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


PREFIXES = {"": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12}
PREFIXED = ("J", "s", "W")


def amount(value: float, unit: str) -> tuple[str, str]:
    """Return a value and its unit, in the prefix that suits it."""
    if unit not in PREFIXED:
        return digits(value), unit.replace("mm2", "mm²")
    prefix = next((name for name, size in PREFIXES.items() if value >= size), "p")
    return digits(value / PREFIXES[prefix]), prefix + unit


def digits(value: float) -> str:
    """Return three digits of a number, without an exponent."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-4 else f"{value:.7f}".rstrip("0")
