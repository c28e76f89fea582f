"""What tests of the report start from: a small model, and the JSON of the commands about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from bbnn import data
from bbnn.cli import group
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

    Synthesis takes minutes, so its figures are made up.
    """
    folder.mkdir()
    for name, options in RUN.items():
        words = ["study", name] if name == "members" else [name]
        arguments = [*words, str(model), *options.split(), "--json"]
        printed = CliRunner().invoke(group, arguments, catch_exceptions=False)
        (folder / f"{name}.json").write_text(printed.stdout)
    told = {"digest": digest(load(model)), **synthesis()}
    (folder / "synth.json").write_text(json.dumps(told))


def synthesis() -> dict[str, Any]:
    """Return JSON as of `bbnn synth`."""
    rows = [("LUT", 12_345, 53_200), ("FF", 6_000, 106_400), ("DSP", 0, 220)]
    resources = [
        {"name": name, "used": used, "available": available, "share": used / available}
        for name, used, available in rows
    ]
    return {"network": "random_network", "part": "xc7z020clg400-1", "resources": resources}
