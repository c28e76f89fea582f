"""`bbnn evaluate`, `bbnn bench golden` and the picture, on networks too small to wait for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bbnn import data
from bbnn.cli import bench_golden, evaluate
from bbnn.description import Layer, Network, Threshold
from bbnn.errors import InputError
from bbnn.model_file import save_network
from golden import metrics
from golden.evaluation import evaluate as run_evaluation
from golden.network import logits
from networks import random_images, random_network
from systems import conv_network, fixed_network, mixed_network, quantised_network, spiking_network

SCORES = {"right", "wrong", "ood", "auroc", "fpr95"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    path = tmp_path / "model.safetensors"
    network = random_network(sizes=(784, 16, 10), probability_bits=(1, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), path)
    return path


def run(model: Path, *options: str) -> str:
    arguments = [str(model), "--dataset", data.SAMPLE, "--ood", "noise", "--images", "60", *options]
    return CliRunner().invoke(evaluate.command, arguments, catch_exceptions=False).stdout


def told(model: Path, *options: str) -> dict[str, Any]:
    return json.loads(run(model, "--json", *options))


def test_figures_are_those_of_the_metrics() -> None:
    """Every figure again, from the functions that `tests/test_metrics.py` checks."""
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    images, ood = random_images(network, 50), random_images(network, 30, seed=3)
    labels = np.arange(50) % 3
    outcome = run_evaluation(network, images, labels, ood, 5)
    figures = outcome.figures
    raw, unknown = logits(network, images, 5), logits(network, ood, 5)
    q, member_q = metrics.mean_softmax(raw, 10), metrics.softmax(unknown, 10)
    right = q.argmax(axis=1) == labels
    assert 0 < right.sum() < 50
    assert (figures["images"], figures["ood_images"], figures["members"]) == (50, 30, 5)
    assert figures["accuracy"] == right.mean()
    assert figures["nll"] == metrics.nll(q, labels)
    assert figures["brier"] == metrics.brier(q, labels)
    assert figures["ece"] == metrics.reliability(q, labels).ece
    entropy, outside = metrics.entropy(q), metrics.entropy(member_q.mean(axis=1))
    assert figures["entropy"] == {
        "right": entropy[right].mean(),
        "wrong": entropy[~right].mean(),
        "ood": outside.mean(),
        "auroc": metrics.auroc(entropy, outside),
        "fpr95": metrics.fpr95(entropy, outside),
    }
    information = metrics.mutual_information(member_q)
    assert figures["mutual_information"]["ood"] == information.mean()
    averaged = run_evaluation(network, images, labels, ood, 5, "logits").figures
    assert averaged["nll"] == metrics.nll(metrics.softmax_of_mean(raw, 10), labels)


def test_nothing_to_average_is_none() -> None:
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    images = random_images(network, 1)
    label = metrics.mean_softmax(logits(network, images, 2), 10).argmax(axis=1)
    assert run_evaluation(network, images, label, images, 2).figures["entropy"]["wrong"] is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3, int), "labels must be one for each of 2 images, not (3,)"),
        (np.array([0, 4]), "labels must be below 4, not 4"),
    ],
)
def test_labels_that_do_not_fit(labels: np.ndarray, message: str) -> None:
    network = random_network()
    images = random_images(network, 2)
    with pytest.raises(InputError) as caught:
        run_evaluation(network, images, labels, images)
    assert str(caught.value) == message


def test_command_says_what_it_used(model: Path) -> None:
    result = told(model, "--members", "4")
    assert result["dataset"] == data.SAMPLE
    assert result["ood"] == "noise"
    assert (result["images"], result["ood_images"], result["members"]) == (60, 60, 4)
    assert set(result["entropy"]) == set(result["mutual_information"]) == SCORES
    text = run(model, "--members", "4")
    for value in (
        data.SAMPLE,
        "noise",
        f"{result['nll']:.4f}",
        f"{result['entropy']['auroc']:.3f}",
    ):
        assert value in text


def test_images_come_from_the_named_sets(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = told(model)
    sets = {"mnist": data.load(data.SAMPLE), "fashion-mnist": (data.noise(80, 1), np.zeros(80))}
    monkeypatch.setattr(data, "load", sets.__getitem__)
    result = told(model, "--dataset", "mnist", "--ood", "fashion-mnist")
    assert (result["dataset"], result["ood"]) == ("mnist", "fashion-mnist")
    for name in ("images", "ood_images", "accuracy", "entropy", "mutual_information"):
        assert result[name] == expected[name]


def test_default_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full sets if they are found; the committed samples otherwise."""
    found = {"fashion-mnist": False, "mnist": False}
    monkeypatch.setattr(evaluate, "locate", lambda data_set: found[data_set.name])
    assert evaluate.default_dataset() == data.SAMPLE
    assert evaluate.default_ood(data.SAMPLE) == "mnist-1000"
    assert evaluate.default_ood("mnist-1000") == data.SAMPLE
    found["fashion-mnist"] = True
    assert evaluate.default_dataset() == "fashion-mnist"
    assert evaluate.default_ood("fashion-mnist") == "mnist-1000"
    assert evaluate.default_ood("mnist") == "fashion-mnist"
    found["mnist"] = True
    assert evaluate.default_ood("fashion-mnist") == "mnist"
    assert evaluate.default_ood(data.SAMPLE) == "mnist-1000"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "0"], "--images must be an integer in 1..1000, not 0"),
        (["--images", "1001"], "--images must be an integer in 1..1000, not 1001"),
        (["--members", "0"], "members must be an integer in 1.."),
    ],
)
def test_refused_options(model: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(model, *options)
    assert str(caught.value).startswith(message)


def test_picture(model: Path, tmp_path: Path) -> None:
    """A PNG of the stated size with ink all over it, and nothing else left in the folder."""
    path = tmp_path / "pictures" / "report.png"
    with pytest.raises(InputError, match="must be a file in an existing folder"):
        run(model, "--report", str(path))
    path.parent.mkdir()
    run(model, "--report", str(path))
    assert list(path.parent.iterdir()) == [path]
    picture = imread(path)[..., :3]
    assert picture.shape == (1200, 1600, 3)
    # Top left to bottom right: title, figures, three rows of cards, two diagrams.
    for part in ((0, 0), (0, 3), (1, 0), (2, 1), (3, 2), (1, 3), (3, 3)):
        piece = picture[300 * part[0] :, 400 * part[1] :][:300, :400]
        assert (piece < 0.5).any(axis=2).mean() > 0.002, part


def test_bench_golden(model: Path) -> None:
    arguments = [str(model), "--images", "20", "--rounds", "3"]
    output = CliRunner().invoke(
        bench_golden.command, [*arguments, "--json"], catch_exceptions=False
    )
    result = json.loads(output.stdout)
    rates = result["image_members_per_second"]
    assert {"golden", "NumPy"} <= set(rates)
    assert min(rates.values()) > 0
    assert result["golden_is_faster_by"]["golden"] == 1
    text = CliRunner().invoke(bench_golden.command, arguments, catch_exceptions=False).stdout
    assert "NumPy" in text


def test_float_programs_compute_the_network() -> None:
    """With nothing random left, golden and its rivals give the same logits."""
    network = random_network(probability_bits=(1, 1, 1), sizes=(12, 9, 7, 4))
    for layer in network.layers:
        layer.codes[...] = layer.codes // 2 * 2
    images = random_images(network, 8)
    expected = logits(network, images).swapaxes(0, 1)
    assert np.array_equal(bench_golden.numpy_program(network, images)(), expected)


@pytest.mark.parametrize(
    "factory", [random_network, conv_network, quantised_network, spiking_network, mixed_network]
)
def test_torch_program_computes_the_network(factory: Callable[[], Network]) -> None:
    """With nothing random left, of any system."""
    pytest.importorskip("torch")
    from bbnn.cli.bench_torch import torch_program

    network = fixed_network(factory())
    if network.scale_dropout is not None:
        # Never: a unit's code must be 1 at least, so both banks are made the same.
        network = replace(network, layers=tuple(map(with_one_bank, network.layers)))
    images = random_images(network, 8)
    expected = logits(network, images).swapaxes(0, 1)
    assert np.array_equal(torch_program(network, images)().numpy(), expected)


def with_one_bank(layer: Layer) -> Layer:
    """Return the layer with its kept thresholds in both banks."""
    neuron = layer.neuron
    if not isinstance(neuron, Threshold) or neuron.dropped is None:
        return layer
    return replace(layer, neuron=replace(neuron, dropped=neuron.thresholds))
