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
from bbnn.cli import bench_golden, evaluate, images
from bbnn.data.sets import CIFAR_10, FASHION_MNIST, MNIST
from bbnn.description import Layer, Network, Threshold, deterministic
from bbnn.errors import InputError
from bbnn.model_file import save_network
from golden import events, metrics
from golden.evaluation import evaluate as run_evaluation
from golden.network import logits
from networks import random_images, random_network
from systems import (
    conv_network,
    dense_network,
    fixed_network,
    mixed_network,
    quantised_network,
    spiking_network,
)

DETECTION = {"mean", "auroc", "fpr95"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    path = tmp_path / "model.safetensors"
    network = random_network(sizes=(784, 16, 10), probability_bits=(1, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), path)
    return path


def run(model: Path, *options: str) -> str:
    ood = ("--ood", "noise", "--ood", "shuffled")
    arguments = [str(model), "--dataset", data.SAMPLE, *ood, "--images", "60", *options]
    return CliRunner().invoke(evaluate.command, arguments, catch_exceptions=False).stdout


def told(model: Path, *options: str) -> dict[str, Any]:
    return json.loads(run(model, "--json", *options))


def test_figures_are_those_of_the_metrics() -> None:
    """Every figure again, from the functions that `tests/test_metrics.py` checks."""
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    images, labels = random_images(network, 50), np.arange(50) % 3
    ood = {name: random_images(network, 30 - seed, seed) for seed, name in enumerate("ab", 3)}
    figures = run_evaluation(network, images, labels, ood, 5).figures
    raw = logits(network, images, 5)
    assert (figures["images"], figures["members"]) == (50, 5)
    assert figures["mutual_information"].keys() == {"right", "wrong"}
    for found, one, members in (
        (figures, network, 5),
        (figures["deterministic"], deterministic(network), 1),
    ):
        q = metrics.mean_softmax(logits(one, images, members), 10)
        right = q.argmax(axis=1) == labels
        assert 0 < right.sum() < 50
        assert found["accuracy"] == right.mean()
        assert found["nll"] == metrics.nll(q, labels)
        assert found["brier"] == metrics.brier(q, labels)
        assert found["ece"] == metrics.reliability(q, labels).ece
        entropy = metrics.entropy(q)
        means = {"right": entropy[right].mean(), "wrong": entropy[~right].mean()}
        assert found["entropy"] == means
        assert found["ood"].keys() == ood.keys()
        for name, strange in ood.items():
            member_q = metrics.softmax(logits(one, strange, members), 10)
            outside = metrics.entropy(member_q.mean(axis=1))
            assert found["ood"][name]["images"] == len(strange)
            assert found["ood"][name]["entropy"] == {
                "mean": outside.mean(),
                "auroc": metrics.auroc(entropy, outside),
                "fpr95": metrics.fpr95(entropy, outside),
            }
            information = found["ood"][name].get("mutual_information")
            mean = metrics.mutual_information(member_q).mean()
            assert members == 1 or information["mean"] == mean
    averaged = run_evaluation(network, images, labels, ood, 5, "logits").figures
    assert averaged["nll"] == metrics.nll(metrics.softmax_of_mean(raw, 10), labels)


def test_nothing_to_average_is_none() -> None:
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    images = random_images(network, 1)
    label = metrics.mean_softmax(logits(network, images, 2), 10).argmax(axis=1)
    assert run_evaluation(network, images, label, {}, 2).figures["entropy"]["wrong"] is None


def test_spiking_networks_tell_their_events() -> None:
    """Those of the test images alone, whatever else is run."""
    network = spiking_network()
    images = random_images(network, 4)
    found = run_evaluation(network, images, np.zeros(4, int), {"a": images}, 2).figures["events"]
    counted = events.events(network, images, 2)
    spikes = counted[0].spikes + counted[1].spikes + counted[2].spikes
    assert found["spikes"] == {"mean": spikes.mean(), "deviation": spikes.std()}
    assert spikes.std() > 0
    assert found["layers"][counted[0].layer]["synaptic_events"] is None
    met = np.zeros(4)
    for each in counted[1:]:
        assert each.synaptic is not None
        met += each.synaptic
    assert found["synaptic_events"]["mean"] == met.mean()


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
        run_evaluation(network, images, labels, {})
    assert str(caught.value) == message


def test_command_says_what_it_used(model: Path) -> None:
    result = told(model, "--members", "4")
    assert result["dataset"] == data.SAMPLE
    assert list(result["ood"]) == ["noise", "shuffled"]
    noise, single = result["ood"]["noise"], result["deterministic"]
    assert (result["images"], noise["images"], result["members"]) == (60, 60, 4)
    assert set(noise["entropy"]) == set(noise["mutual_information"]) == DETECTION
    text = run(model, "--members", "4")
    for value in (
        data.SAMPLE,
        "shuffled",
        f"{result['nll']:.4f}",
        f"{single['nll']:.4f}",
        f"{noise['entropy']['auroc']:.3f}, {noise['entropy']['fpr95']:.3f}",
        f"{single['ood']['shuffled']['entropy']['auroc']:.3f}",
    ):
        assert value in text


def test_command_tells_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spiking.safetensors"
    network = dense_network("spiking", steps=2, input_shape=(28, 28, 1))
    save_network(network, path)
    pixels, labels = data.load(data.SAMPLE)
    monkeypatch.setattr(data, "load", lambda name: (pixels, labels % len(network.classes)))
    result = told(path, "--members", "2")
    total, text = result["events"]["spikes"], run(path, "--members", "2")
    assert "{mean:,.0f} ± {deviation:,.0f}".format(**total) in text
    assert total["mean"] > 0


def test_images_come_from_the_named_sets(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = told(model)
    noise = data.noise((80, 28, 28, 1))
    sets = {"mnist": data.load(data.SAMPLE), "fashion-mnist": (noise, np.zeros(80))}
    monkeypatch.setattr(data, "load", sets.__getitem__)
    result = told(model, "--dataset", "mnist", "--ood", "fashion-mnist")
    assert (result["dataset"], list(result["ood"])) == (
        "mnist",
        ["noise", "shuffled", "fashion-mnist"],
    )
    assert result["accuracy"] == expected["accuracy"]
    assert result["ood"]["fashion-mnist"] == expected["ood"]["noise"]


def test_default_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full sets if they are found; the committed samples otherwise."""
    found = {"fashion-mnist": False, "mnist": False, "cifar-10": False}
    monkeypatch.setattr(images, "locate", lambda data_set: found[data_set.name])
    grey = random_network(sizes=(784, 4, 10), probability_bits=(1, 1))
    fashion, mnist, other, colour = (
        replace(grey, input_shape=(28, 28, 1), classes=FASHION_MNIST.classes),
        replace(grey, input_shape=(28, 28, 1), classes=MNIST.classes),
        replace(grey, input_shape=(28, 28, 1), classes=tuple("abcdefghij")),
        replace(grey, input_shape=(14, 56, 1), classes=CIFAR_10.classes),
    )
    assert images.default_test(fashion) == images.default_test(other) == data.SAMPLE
    assert images.default_test(mnist) == "mnist-1000"
    assert images.default_test(colour) == images.labelled_sample(colour) == "cifar-10"
    assert images.default_sample(mnist) == "mnist-1000"
    assert images.default_sample(other) == data.SAMPLE
    assert images.default_sample(colour) == "noise"
    assert images.default_ood(data.SAMPLE) == ("mnist-1000", "noise")
    assert images.default_ood("mnist-1000") == (data.SAMPLE, "noise")
    assert images.default_ood("cifar-10") == ("noise", "shuffled")
    found["fashion-mnist"] = True
    assert images.default_test(fashion) == "fashion-mnist"
    assert images.default_ood("fashion-mnist") == ("mnist-1000", "noise")
    assert images.default_ood("mnist") == ("fashion-mnist", "noise")
    found["mnist"] = True
    assert images.default_ood("fashion-mnist") == ("mnist", "noise")
    assert images.default_ood(data.SAMPLE) == ("mnist-1000", "noise")


def test_images_for_a_network(tmp_path: Path) -> None:
    network = conv_network(input_shape=(5, 4, 3))
    stored = random_images(network, 3)
    path = tmp_path / "images.npy"
    np.save(path, stored)
    found, labels = images.images_for(network, str(path))
    np.testing.assert_array_equal(found, stored)
    assert labels is None
    assert images.images_for(network, "noise")[0].shape == (1000, 5, 4, 3)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((3, 5, 4, 3)), r"of type uint8, not 'float64'$"),
        (
            np.zeros((3, 4, 5, 3), np.uint8),
            r"images of shape \(N, 5, 4, 3\), which system takes, not",
        ),
        (np.zeros((0, 5, 4, 3), np.uint8), r"images of shape .*, not \(0, 5, 4, 3\)$"),
        (np.zeros((5, 4, 3), np.uint8), r"images of shape .*, not \(5, 4, 3\)$"),
        (b"no array", r"a whole \.npy file, not this: "),
        (None, "an existing file, not 'missing'$"),
    ],
)
def test_images_for_a_network_wrong(
    tmp_path: Path, stored: np.ndarray | bytes | None, message: str
) -> None:
    path = tmp_path / "images.npy"
    if isinstance(stored, bytes):
        path.write_bytes(stored)
    elif stored is not None:
        np.save(path, stored)
    with pytest.raises(InputError, match=f"images.npy must be {message}"):
        images.images_for(conv_network(input_shape=(5, 4, 3)), str(path))


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(conv_network(), path)
    with pytest.raises(
        InputError, match=r"^fashion-mnist-1000 must be images of shape \(N, 6, 6, 2"
    ):
        run(path)


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


@pytest.mark.torch
@pytest.mark.parametrize(
    "factory", [random_network, conv_network, quantised_network, spiking_network, mixed_network]
)
def test_torch_program_computes_the_network(factory: Callable[[], Network]) -> None:
    """With nothing random left, of any system."""
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
