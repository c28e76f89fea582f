"""`bbnn cycles`: golden's count with skipping, beside the cycle model's without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli import group
from bbnn.errors import InputError
from bbnn.folding import skipping
from bbnn.model_file import save_network
from bbnn.schedule import stage_cycles
from golden.reads import crossbar_cycles
from networks import random_images
from systems import spiking_network


def test_command(tmp_path: Path) -> None:
    network = spiking_network()
    model, pictures = tmp_path / "model.safetensors", tmp_path / "images.npy"
    save_network(network, model)
    images = random_images(network, 3) // 8
    np.save(pictures, images)
    arguments = ["cycles", str(model), "--dataset", str(pictures), "--images", "3"]
    ran = CliRunner().invoke(group, [*arguments, "--json"], catch_exceptions=False)
    told = json.loads(ran.stdout)
    found = crossbar_cycles(skipping(network), images)
    without = stage_cycles(replace(network), 1)
    saved = 0
    for index, (layer, row) in enumerate(zip(network.layers, told["layers"], strict=True)):
        assert row["without"] == without[f"{layer.name} crossbar"]
        assert row["mean"] == pytest.approx(found[..., index].mean())
        assert row["percentiles"]["50"] == np.median(found[..., index])
        saved += row["mean"] < row["without"]
    assert saved
    shown = CliRunner().invoke(group, arguments, catch_exceptions=False).stdout
    assert "saved" in shown
    assert "%" in shown


def test_too_many_images(tmp_path: Path) -> None:
    model, pictures = tmp_path / "model.safetensors", tmp_path / "images.npy"
    save_network(spiking_network(), model)
    np.save(pictures, random_images(spiking_network(), 2))
    ran = CliRunner().invoke(
        group, ["cycles", str(model), "--dataset", str(pictures), "--images", "3"]
    )
    assert isinstance(ran.exception, InputError)
    assert str(ran.exception) == "--images must be an integer in 1..2, not 3"
