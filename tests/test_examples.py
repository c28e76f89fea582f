"""The scripts in examples/ run, and say what a reader of their paper looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = Path(__file__).parents[1] / "models"
SAID = {
    "bayes2imc": ("mnist-conv", r"random bits per member: 2,259, .* instead of 224,800"),
    "sparsity_aware": (
        "mnist-conv",
        r"from output on: [\d,]+ of [\d,]+ weights sampled, [3-9]",
    ),
    "bayesian_snn": ("mnist-levels", r"4 steps\n(?:.*\n)+?  per inference: [\d,]+ spikes, [\d,]+"),
    "scale_dropout": ("mnist-scale", r"per member: 3; stochastic units in the Verilog: 1\n"),
    "spatial_dropout": ("mnist-spatial", r"conv_1: 32 maps .*; element-wise 288, 9 times as many"),
}
"""What a script prints on its model."""


def test_every_script_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SAID, "common"}


@pytest.mark.parametrize("name", SAID)
def test_example(name: str) -> None:
    model, expected = SAID[name]
    script, path = EXAMPLES / f"{name}.py", MODELS / f"{model}.safetensors"
    command = [sys.executable, str(script), str(path), "20"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(expected, ran.stdout), ran.stdout
    assert "T = 10: accuracy 0.9" in ran.stdout or "T = 10: accuracy 1.0" in ran.stdout
