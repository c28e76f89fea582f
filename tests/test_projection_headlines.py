"""The headlines: a row a claim, complete, with ranges in order, and nothing fitted."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from bbnn.cli import group
from bbnn.cli.headlines import show
from bbnn.cli.headlines_networks import FRONT, vgg_dense, vgg_sparse
from bbnn.projection import headlines, split
from bbnn.projection.headlines import GIVEN

ROOT = Path(__file__).parents[1]
CLAIMS = {
    "86 % fewer sampled parameters": "up to 86 %",
    "5.3x less area": "up to 5.3",
    "8.8x less energy": "up to 8.8",
    "2.9x the power efficiency of the best earlier accelerator": "2.9",
    "GOPS/W/mm2 against an equivalent SRAM core": "3.8 to 9.6",
    "GOPS/W against an equivalent SRAM core": "2.2 to 5.6",
    "no accuracy lost to drift": "no drop with compensation",
    "up to 25x fewer spikes": "up to 25",
    "6.5x the GOPS/DSP on Zynq-7000": "6.5",
    "up to 30x less power on Zynq-7000": "up to 30",
    "9x fewer dropout modules": "9 a layer",
    "94.11x less energy with spatial dropout": "94.11",
    "one stochastic unit, more than 100x less energy": "more than 100",
    "up to 1 % better accuracy": "up to 1 point",
}


@pytest.fixture(scope="module")
def found() -> Any:
    arguments = ["headlines", "--models", str(ROOT / "models"), "--json"]
    ran = CliRunner().invoke(group, arguments, catch_exceptions=False)
    return json.loads(ran.stdout)


def ours(found: Any, claim: str) -> Any:
    return next(row["ours"] for row in found["rows"] if row["claim"] == claim)


def test_rows_are_complete(found: Any) -> None:
    assert {row["claim"]: row["paper"] for row in found["rows"]} == CLAIMS
    for row in found["rows"]:
        assert row["kind"] in ("counted", "projected", "measured")
        assert re.fullmatch(r"arXiv:\d{4}\.\d{5}", row["source"])
        assert row["assumption"]
        assert row["command"].startswith("bbnn ")
        # A row has a figure, or says what is missing.
        assert bool(row["ours"]) != bool(row["missing"]), row["claim"]
        for each in row["ours"].values():
            assert each["low"] <= each["typical"] <= each["high"]
    assert {row["claim"] for row in found["rows"] if row["missing"]} == {
        "2.9x the power efficiency of the best earlier accelerator",
        "6.5x the GOPS/DSP on Zynq-7000",
    }


def test_figures_that_follow_from_sizes_alone(found: Any) -> None:
    """By hand: MACs and weights of VGGBinaryConnect, T = 10, three layers ensembled."""
    front = (3_456 + 147_456) * 1024 + (294_912 + 589_824) * 256 + (1_179_648 + 2_359_296) * 64
    late = 8_388_608 + 1_048_576 + 10_240
    energy = ours(found, "8.8x less energy")
    anew = energy["operations, sums of fixed rows taken anew"]["typical"]
    assert anew == pytest.approx(10 * (front + late) / (front + 10 * late))
    assert anew == pytest.approx(8.78, abs=0.02)
    area = ours(found, "5.3x less area")["weights, every fixed row once"]["typical"]
    whole = 14_022_016
    rows = [round(0.14 * n) for n in (8192, 1024, 1024)]
    sampled = sum(r * c for r, c in zip(rows, (1024, 1024, 10), strict=True))
    assert area == pytest.approx(10 * whole / (whole + 9 * sampled))
    assert ours(found, "9x fewer dropout modules")["layer conv_1"]["typical"] == 9


def test_nothing_is_fitted() -> None:
    """No number in a row's code but 0, 1 and 100 %: what is given is cited, as the table is."""
    tree = ast.parse(Path(str(headlines.__file__)).read_text())
    numbers = {
        node.value
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    } - {True, False}
    assert numbers <= {0, 1, 100}
    for name, given in GIVEN.items():
        assert re.search(r"arXiv:\d{4}\.\d{5}|(19|20)\d\d", given.citation), name


def test_networks_are_vgg_binary_connect() -> None:
    dense, sparse = vgg_dense(10), vgg_sparse(10, 0.14)
    for network in (dense, sparse):
        assert sum(layer.codes.size for layer in network.layers) == 14_022_016
        assert [layer.columns for layer in network.layers] == [
            *(128, 128, 256, 256, 512, 512),
            *(1024, 1024, 10),
        ]
    assert dense.first_ensembling == 0
    assert sparse.first_ensembling == FRONT
    assert [split(layer).sampled for layer in sparse.layers[FRONT:]] == [1147, 143, 143]
    assert all(split(layer).fixed == 0 for layer in dense.layers)


def test_shown() -> None:
    said = io.StringIO()
    show([headlines.per_dsp()], Console(width=160, file=said))
    text = said.getvalue()
    assert "cannot be computed" in text
    assert "MISSING: a divisor" in text
