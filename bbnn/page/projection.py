"""The section of `bbnn project`: what each part would take of a chip, from low to high.

Every figure of that JSON is a record of its kind, which is "projected", its unit, and the values
low, typical and high.
"""

from __future__ import annotations

from typing import Any

from bbnn.description import Network
from bbnn.page import charts
from bbnn.page.names import amount, plain
from bbnn.page.sources import Told

HEADLINE = (
    ("energy_per_inference", "energy of an inference"),
    ("area", "area"),
    ("latency", "latency of an image"),
    ("power", "power"),
)
RATES = (("gops", "GOPS"), ("gops_per_watt", "GOPS/W"), ("gops_per_watt_per_mm2", "GOPS/W/mm²"))


def section(network: Network, told: Told) -> dict[str, Any]:
    """Return the section: figures, charts by part and beside the baselines, rates."""
    own = {"technology": told["technology"], "energy": told["energy_per_inference"]}
    others = {name: each["energy_per_inference"] for name, each in told["baselines"].items()}
    areas = {name: part["area"] for name, part in told["parts"].items() if part["area"]}
    return {
        "range": told["range"],
        "headline": [
            (*amount(told[key]["typical"], told[key]["unit"]), meaning, between(told[key]))
            for key, meaning in HEADLINE
            if told[key] is not None
        ],
        "energies": charts.ranges(
            "Energy of an inference by part",
            {plain(name): part["energy"] for name, part in told["parts"].items()},
        ),
        "areas": charts.ranges(
            "Area by part",
            {plain(name): area for name, area in areas.items() if area["typical"] > 0},
        )
        if areas
        else None,
        "baselines": charts.ranges(
            "Energy of an inference beside baselines",
            {"this network": own["energy"], **others},
            loud="this network",
        )
        if others
        else None,
        "rates": [
            (heading, *(_cell(told[counted][key]) for counted in ("nominal", "executed")))
            for key, heading in RATES
        ],
    }


def between(figure: Told) -> str:
    """Return the range of a figure in words."""
    low, high = (amount(figure[end], figure["unit"]) for end in ("low", "high"))
    return (
        f"{low[0]} to {high[0]} {high[1]}"
        if low[1] == high[1]
        else " to ".join(f"{number} {unit}" for number, unit in (low, high))
    )


def _cell(figure: Told | None) -> tuple[str, str]:
    if figure is None:
        return "-", ""
    low, typical, high = (amount(figure[at], "")[0] for at in ("low", "typical", "high"))
    return typical, f"{low} to {high}"
