"""`bbnn study members`: the curves, the T that is needed, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bbnn import data
from bbnn.cli import study_members
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from golden.evaluation import evaluate
from golden.studies.members import drawn, needed
from golden.variants import reseeded
from networks import random_network
from systems import Block, build, drop

ROOT = Path(__file__).parents[1]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    network = random_network(sizes=(784, 8, 10), probability_bits=(1, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def run(model: Path, *options: str) -> str:
    arguments = [str(model), "--images", "20", "--most", "6", "--reference", "1", *options]
    return CliRunner().invoke(study_members.command, arguments, catch_exceptions=False).stdout


def told(model: Path, *options: str) -> dict[str, Any]:
    return json.loads(run(model, *options, "--json"))


def test_needed() -> None:
    """The first crossing, between two T in proportion."""
    assert needed([3.0, 2.0, 1.0], 1.5) == 2.5
    assert needed([3.0, 2.0, 1.0], 2.0) == 2
    assert needed([3.0, 2.0, 1.0], 4.0) == 1
    assert needed([3.0, 1.0, 2.0], 1.0) == 2
    assert needed([3.0, 2.0, 1.0], 0.5) is None


@pytest.mark.parametrize("kind", ["independent", "stratified"])
def test_curves_are_evaluations(model: Path, kind: Any) -> None:
    """Each T of the curve is the ensemble of T members, evaluated by itself."""
    result = told(model, "--seeds", "2")
    assert (result["seeds"], result["members"]) == ([1, 2], [1, 2, 3, 4, 5, 6])
    images, labels = data.load(data.SAMPLE)
    network = reseeded(drawn(load(model), kind), 2)
    for count in (1, 3, 6):
        again = evaluate(network, images[:20], labels[:20], {}, count).figures
        for metric in ("accuracy", "nll"):
            of = result[kind][metric][count - 1]
            assert of["seeds"][1] == pytest.approx(again[metric], rel=1e-12)
            assert of["mean"] == np.mean(of["seeds"])
            assert of["deviation"] == np.std(of["seeds"], ddof=1)


def test_saving() -> None:
    """Of the stratified curve at the NLL of two independent members; a trained network saves."""
    options = ("--seeds", "4", "--images", "1000", "--reference", "2", "--most", "2")
    result = told(ROOT / "models" / "fashion-mlp.safetensors", *options)
    target = result["independent"]["nll"][1]["mean"]
    assert result["nll"] == target
    curve = [each["mean"] for each in result["stratified"]["nll"]]
    assert result["needed"] == needed(curve, target)
    assert 1 < result["needed"] < 2
    assert result["saving"] == 1 - result["needed"] / 2
    for number in range(4):
        own = [each["seeds"][number] for each in result["stratified"]["nll"]]
        assert result["needed_by_seed"][number] == needed(own, target)


def test_table_and_picture(model: Path, tmp_path: Path) -> None:
    """What is in the table, and what is drawn; a target that is not reached is told."""
    path = tmp_path / "pictures" / "study.png"
    with pytest.raises(InputError, match="must be a file in an existing folder"):
        run(model, "--report", str(path))
    path.parent.mkdir()
    text = run(model, "--seeds", "2", "--report", str(path))
    result = told(model, "--seeds", "2")
    assert f"{result['stratified']['nll'][5]['mean']:.4f}" in text
    # The first member of both is the same, so that one is enough.
    assert "takes 1.0 stratified ones: 0% saved" in text
    assert list(path.parent.iterdir()) == [path]
    picture = imread(path)[..., :3]
    assert picture.shape == (630, 1600, 3)
    for right in (48, 828):
        piece = picture[170:570, right : right + 720]
        assert ((piece.max(axis=2) - piece.min(axis=2)) > 0.3).mean() > 0.001


def test_target_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    point = {"mean": 2.0, "deviation": None, "seeds": [2.0]}
    curves = {"nll": [point], "accuracy": [point]}
    outcome: dict[str, Any] = {
        "model": "m",
        "dataset": "d",
        "images": 1,
        "seeds": [1],
        "reference": 1,
        "members": [1],
        "independent": {"nll": [{**point, "mean": 1.0}], "accuracy": [point]},
        "stratified": curves,
    }
    outcome |= study_members.saving(outcome, 1)
    assert (outcome["needed"], outcome["saving"], outcome["needed_by_seed"]) == (None, None, [None])
    study_members.show(outcome)
    assert "is not reached by 1 stratified ones." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--most", "0"], "--most must be an integer in 1..1000, not 0"),
        (["--reference", "7"], "--reference must be an integer in 1..6, not 7"),
        (["--seeds", "0"], "--seeds must be an integer in 1..1000, not 0"),
        (["--dataset", "cifar"], "data set must be one of"),
    ],
)
def test_refused(model: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(model, *options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_dropout_is_refused(tmp_path: Path) -> None:
    """Maps are dropped member by member, which cannot be stratified."""
    path = tmp_path / "spatial.safetensors"
    blocks = (Block(columns=8), Block(columns=10, neuron="logits", dropout=drop(1, 2)))
    save_network(build(1, blocks), path)
    with pytest.raises(InputError, match=r"ensemble\.stratified must be false with dropout"):
        run(path)
