"""`bbnn study noise-plane`: tests of words, independent words, other planes, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bbnn import data
from bbnn.cli import study_noise_plane
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from golden.evaluation import evaluate
from golden.noise import member_weights
from golden.source import STREAMS
from golden.studies.independent import Independent
from golden.studies.noise_plane import Plane, planes
from golden.studies.words import TESTS, Sum, examine
from golden.variants import reseeded, rounded, widened
from networks import random_network
from systems import CASES

METRICS = ("accuracy", "nll", "ece", "auroc")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    network = random_network(sizes=(784, 8, 10), probability_bits=(2, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def run(model: Path, *options: str) -> str:
    arguments = [str(model), "--images", "20", "--word-members", "4", *options]
    return CliRunner().invoke(study_noise_plane.command, arguments, catch_exceptions=False).stdout


def told(model: Path, *options: str) -> dict[str, Any]:
    return json.loads(run(model, *options, "--json"))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("bits", [1, 8])
def test_independent_words_pass(bits: int, seed: int) -> None:
    """All z within 4: the expected values and variances are those of independent words."""
    network = random_network(sizes=(40, 24, 10), probability_bits=(bits, bits))
    for of in examine(network, 100, Independent(seed)).values():
        for name in TESTS:
            z = of[name].z
            assert z is not None
            assert abs(z) < 4, name
            assert of[name].p == pytest.approx(1 - _within(abs(z)), abs=1e-4)


def _within(z: float) -> float:
    """Return how much of the normal distribution lies within z deviations: Simpson's rule."""
    x = np.linspace(-z, z, 2001)
    y = np.exp(-(x**2) / 2) / sqrt(2 * np.pi)
    return float((x[1] - x[0]) / 3 * (y[0] + y[-1] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum()))


def test_words_of_a_noise_plane() -> None:
    """Pairwise independent, so bias is right; what a plane shares shows in "squared" alone.

    With K = b = 1 all columns share all rows' bits, which gives exactly I. With K = 8, b = 1 and 24
    columns a pair shares them with probability 2 / 23, and has I then and 1 otherwise.
    """
    network = random_network(sizes=(40, 24, 10), probability_bits=(1, 1), lfsr_width=64)
    least, more = (examine(rounded(network, 1, k), 100, STREAMS)["hidden_0"] for k in (1, 8))
    assert least["squared"].mean == 40
    assert more["squared"].mean == pytest.approx(1 + 39 * 2 / 23, rel=0.05)
    for of in (least, more):
        for name in ("bias", "member runs"):
            assert abs(of[name].z or 9) < 5
    enough = examine(rounded(network, 1, 64), 100, STREAMS)["hidden_0"]
    assert abs(enough["squared"].z or 9) < 4


def towards_one(coins: Any) -> Any:
    return np.where(np.random.default_rng(1).random(coins.shape) < 0.1, 1, coins)


def alternating(coins: Any) -> Any:
    coins[1::2] = -coins[::2]
    return coins


def twins(coins: Any) -> Any:
    coins[:, 1::2] = coins[:, ::2]
    return coins


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (towards_one, {"bias", "member runs"}),
        (alternating, {"runs"}),
        (twins, {"correlation", "squared"}),
    ],
)
def test_bad_words_fail(spoil: Callable[[Any], Any], names: set[str]) -> None:
    """Each test finds what it is for."""

    class Bad(Independent):
        def weights(self, network: Network, index: int, images: int, members: int) -> Any:
            return map(spoil, Independent(1).weights(network, index, images, members))

    network = random_network(sizes=(40, 24, 10), probability_bits=(1, 1))
    of = examine(network, 50, Bad(1))["hidden_0"]
    assert names <= {name for name in TESTS if abs(of[name].z or 0) > 5}


def test_sums_of_nothing() -> None:
    assert (Sum().mean, Sum().z, Sum().p) == (None, None, None)


@pytest.mark.parametrize("name", CASES)
def test_independent_is_a_source(name: str) -> None:
    """Shapes, fixed layers, dropped rows and strata are those of the streams, on all systems."""
    network = CASES[name]()
    for index, layer in enumerate(network.layers):
        ours = list(Independent(3).weights(network, index, 2, 3))
        streams = list(member_weights(network, index, 2, 3))
        again = list(Independent(3).weights(network, index, 2, 3))
        for mine, theirs, same in zip(ours, streams, again, strict=True):
            assert mine.shape == theirs.shape
            assert np.array_equal(mine, same)
            assert np.array_equal(mine == 0, theirs == 0)
            if layer.probability_bits == 0:
                assert np.array_equal(mine, theirs)


def test_independent_strata() -> None:
    """Over a whole group each weight is +1 in exactly `code` of 2**b members."""
    network = random_network(probability_bits=(2, 1, 1), stratified=True)
    group = list(Independent(1).weights(network, 0, 1, 4))
    assert np.array_equal((np.array(group) > 0).sum(axis=0), network.layers[0].codes)


def test_rounded_codes() -> None:
    """Nearest; ties to even, and the same before and after a column is turned over."""
    network = random_network(probability_bits=(2, 0, 8))
    network.layers[0].codes[0, :5] = [0, 1, 2, 3, 4]
    network.layers[2].codes[0, :4] = [63, 64, 65, 192]
    down = rounded(network, 1)
    assert down.layers[0].codes[0, :5].tolist() == [0, 0, 1, 2, 2]
    assert down.layers[2].codes[0, :4].tolist() == [0, 0, 1, 2]
    assert [layer.probability_bits for layer in down.layers] == [1, 0, 1]
    assert np.array_equal(rounded(widened(network), 2).layers[0].codes, network.layers[0].codes)
    planes = [layer.noise.row_bits for layer in rounded(network, 4, 64).layers if layer.noise]
    assert planes == [64, 64]


def test_planes_are_distinct() -> None:
    every = planes([1, 4], [1, 2, 8, None])
    assert every == [
        Plane(probability_bits=b, row_bits=k)
        for b, k in [(1, 1), (1, 2), (1, 8), (1, None), (4, 4), (4, 8), (4, None)]
    ]


def test_rows(model: Path) -> None:
    """Values of every seed; one of them again by `golden.evaluation`."""
    result = told(model, "--row-bits", "8,independent", "--probability-bits", "1,4", "--seeds", "2")
    places = [(row["probability_bits"], row["row_bits"]) for row in result["planes"]]
    assert places == [(1, 8), (1, "independent"), (4, 8), (4, "independent")]
    assert (result["seeds"], result["images"], result["members"]) == ([1, 2], 20, 3)
    for row in result["planes"]:
        for name in METRICS:
            assert row[name]["mean"] == np.mean(row[name]["seeds"])
            assert row[name]["deviation"] == np.std(row[name]["seeds"], ddof=1)
        assert set(row["words"]) == {"hidden_0", "output", "all"}
        assert set(row["words"]["all"]) == set(TESTS)
        # Of two seeds of four members, 784 x 8 and 8 x 10 words.
        bias = {layer: of["bias"]["mean"] for layer, of in row["words"].items()}
        mean = (784 * bias["hidden_0"] + 10 * bias["output"]) / 794
        assert bias["all"] == pytest.approx(mean, rel=1e-12)
    images, labels = data.load(data.SAMPLE)
    strange, _ = data.load("mnist-1000")
    network = reseeded(rounded(load(model), 4, 8), 2)
    again = evaluate(network, images[:20], labels[:20], {"odd": strange[:20]}).figures
    of_four = result["planes"][2]
    assert [of_four[name]["seeds"][1] for name in METRICS] == [
        *(again[name] for name in METRICS[:3]),
        again["ood"]["odd"]["entropy"]["auroc"],
    ]


def test_table_and_picture(model: Path, tmp_path: Path) -> None:
    """Every row is in the tables; the PNG has ink in all its panels, and nothing is left beside."""
    path = tmp_path / "pictures" / "study.png"
    with pytest.raises(InputError, match="must be a file in an existing folder"):
        run(model, "--report", str(path))
    path.parent.mkdir()
    options = ("--probability-bits", "1,2", "--row-bits", "1,8", "--seeds", "2")
    text = run(model, *options, "--report", str(path))
    for row in told(model, *options)["planes"]:
        assert f"{row['nll']['mean']:.4f}" in text
        squared = row["words"]["all"]["squared"]
        assert f"{squared['mean']:.4g} +" in text
        assert f"{row['words']['all']['bias']['mean']:.4f}" in text
    assert list(path.parent.iterdir()) == [path]
    picture = imread(path)[..., :3]
    assert picture.shape == (1060, 1600, 3)
    for down in (170, 600):
        for right in (48, 828):
            piece = picture[down : down + 400, right : right + 720]
            assert ((piece.max(axis=2) - piece.min(axis=2)) > 0.3).mean() > 0.001


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--row-bits", "1,65"],
            "--row-bits must be integers in 1..64 or independent, with commas",
        ),
        (["--row-bits", ""], "--row-bits must be integers in 1..64 or independent, with commas"),
        (["--probability-bits", "0"], "--probability-bits must be integers in 1..8, with commas"),
        (["--probability-bits", "9"], "--probability-bits must be integers in 1..8, with commas"),
        (["--probability-bits", "independent"], "--probability-bits must be integers in 1..8"),
        (["--seeds", "0"], "--seeds must be an integer in 1..1000, not 0"),
        (["--seed", "-1"], "--seed must be an integer in 0..4294967292, not -1"),
        (["--members", "0"], "members must be an integer in 1.."),
        (["--word-members", "1"], "--word-members must be an integer in 2..10000, not 1"),
        (["--images", "1001"], "--images must be an integer in 1..1000, not 1001"),
        (["--dataset", "cifar"], "data set must be one of"),
        (["--ood", "cifar"], "data set must be one of"),
        (
            ["--probability-bits", "1,2,3,4,5", "--report", "x.png"],
            "--probability-bits must be at most 4 where --report draws them, not 5",
        ),
    ],
)
def test_refused(model: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(model, *options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_fixed_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fixed.safetensors"
    save_network(random_network(probability_bits=(0, 0, 0)), path)
    with pytest.raises(InputError, match="layers must be with sampled weights, not"):
        run(path)
