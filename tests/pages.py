"""What tests of the report start from: a small model, and the JSON of the commands about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from bbnn import data
from bbnn.cli import COMMANDS, group
from bbnn.model_file import digest, load, save_network
from networks import random_network

RUN = {
    "evaluate": f"--dataset {data.SAMPLE} --ood mnist-1000 --ood noise --images 60 --members 4",
    "members": "--images 30 --most 6 --reference 4 --seeds 2",
    "cycles": "--images 5 --members 4",
    "project": "--members 4",
}


def small_model(path: Path) -> Path:
    """Write an untrained network for 28 x 28 images and ten classes; return its path."""
    network = random_network(sizes=(784, 16, 10), probability_bits=(1, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), path)
    return path


def documents(model: Path, folder: Path) -> None:
    """Write what the commands print of `model`, by the names that `bbnn report` looks for.

    Synthesis takes minutes, so its figures are made up; so is the projection where it is not here.
    """
    folder.mkdir()
    made_up = {"synth": synthesis()}
    for name, options in RUN.items():
        if name not in (*COMMANDS, "members"):
            made_up[name] = projection()
            continue
        words = ["study", name] if name == "members" else [name]
        arguments = [*words, str(model), *options.split(), "--json"]
        printed = CliRunner().invoke(group, arguments, catch_exceptions=False)
        (folder / f"{name}.json").write_text(printed.stdout)
    network = load(model)
    for name, told in made_up.items():
        told = {"digest": digest(network), **told}
        (folder / f"{name}.json").write_text(json.dumps(told))


def synthesis() -> dict[str, Any]:
    """Return JSON as of `bbnn synth`."""
    rows = [("LUT", 12_345, 53_200), ("FF", 6_000, 106_400), ("DSP", 0, 220)]
    resources = [
        {"name": name, "used": used, "available": available, "share": used / available}
        for name, used, available in rows
    ]
    return {"network": "random_network", "part": "xc7z020clg400-1", "resources": resources}


def projection() -> dict[str, Any]:
    """Return JSON as of `bbnn project`."""

    def figure(unit: str, typical: float) -> dict[str, Any]:
        ends = {"low": typical / 3, "typical": typical, "high": 5 * typical}
        return {"kind": "projected", "unit": unit, **ends}

    rates = {
        "gops": figure("GOPS", 30),
        "gops_per_watt": figure("GOPS/W", 5_346),
        "gops_per_watt_per_mm2": figure("GOPS/W/mm2", 36_227),
    }
    return {
        "model": "random_network",
        "technology": "pcm",
        "node_nm": 28.0,
        "mode": {"pipelined": False, "apart": False},
        "members": 3,
        "range": "percentiles 5 and 95 of 2,000 draws, seed 1",
        "area": figure("mm2", 0.1476),
        "energy_per_inference": figure("J", 1.005e-6),
        "latency": figure("s", 1.8e-4),
        "power": figure("W", 5.6e-3),
        "nominal": rates,
        "executed": rates,
        "parts": {
            "weights": {"area": figure("mm2", 0.1), "energy": figure("J", 1e-6)},
            "input": {"area": figure("mm2", 0), "energy": figure("J", 5e-9)},
            "leakage": {"area": None, "energy": figure("J", 5e-12)},
        },
        "baselines": {"sram-1": {"energy_per_inference": figure("J", 2.5e-6)}},
    }
