"""The networks that ship: their figures are what was aimed at, their hardware says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bbnn.cli import group
from bbnn.convert import convert
from bbnn.data import load as load_images
from bbnn.data import ood
from bbnn.data.sets import DATA_SETS
from bbnn.description import Network
from bbnn.model_file import load, save_network
from bbnn.schedule import image_cycles
from golden.evaluation import evaluate

MODELS = Path(__file__).parents[1] / "models"
NAMES = sorted(path.stem for path in MODELS.glob("*.safetensors"))
CLOCK, RATE = 100e6, 131_000
"""A second: cycles, and images of BYNQNet on the XC7Z020 (docs/performance.md)."""
KINDS = ("conv", "levels", "scale", "spatial")
ACCURACY = {
    "fashion-mlp": 0.88,
    "mnist-mlp": 0.978,
    "mnist-sfc": 0.978,
    "mnist-conv": 0.985,
    "mnist-levels": 0.985,
    "mnist-scale": 0.98,
    "mnist-sparse": 0.983,
    "mnist-spatial": 0.98,
    **{f"fashion-{kind}": 0.86 for kind in KINDS},
    "cifar-vgg": 0.68,
}
"""Least accuracy on the whole test set, T = 20."""
SETS = {
    "mnist": ("mnist", ("fashion-mnist", "cifar-10", "noise")),
    "fashion": ("fashion-mnist", ("mnist", "cifar-10", "noise")),
    "cifar": ("cifar-10", ("shuffled", "noise")),
}
"""By the first part of a name: the set that it was trained on, and all those that its ensemble
knows to be strange better than its own pass does."""


def test_every_network_is_judged() -> None:
    assert set(NAMES) == set(ACCURACY)


def test_network_of_the_size_of_sfc_is_fast() -> None:
    """As fast as BYNQNet, with ten members; `bbnn bitstream` says what clock it reaches."""
    network = load(MODELS / "mnist-sfc.safetensors")
    shapes = [layer.codes.shape for layer in network.layers]
    assert shapes == [(784, 256), (256, 256), (256, 256), (256, 10)]
    assert (network.pixel_bits, network.first_ensembling) == (2, 2)
    assert network.layers[2].sampled is not None
    assert network.layers[2].sampled.sum() == 128
    assert CLOCK / image_cycles(network, 10) >= RATE


@pytest.mark.parametrize("name", NAMES)
def test_figures(name: str) -> None:
    """Of all 10,000 images; better than one pass without chance, by NLL and on every OOD set."""
    network = load(MODELS / f"{name}.safetensors")
    told = network.figures["test"]
    assert (told["images"], told["members"]) == (10_000, 20)
    assert told["accuracy"] >= ACCURACY[name]
    own, strange = SETS[name.split("-")[0]]
    assert set(told["ood"]) == set(strange) == set(told["deterministic"]["ood"])
    assert_knows_more_than_its_own_pass(told)
    assert network.figures["validation"]["accuracy"] > ACCURACY[name]
    assert network.classes == DATA_SETS[own].classes


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mnist", "fashion"])
def test_spiking_ensemble_knows_more_than_its_own_pass(kind: str) -> None:
    """In four steps, on the images that ship; docs/training.md has all 10,000 and other seeds."""
    network = convert(load(MODELS / f"{kind}-levels.safetensors"), 4)
    own, (other, *_) = SETS[kind]
    images, labels = load_images(f"{own}-1000")
    strange = {other: load_images(f"{other}-1000")[0], "noise": ood("noise", images)}
    told = evaluate(network, images, labels, strange, 20).figures
    assert told["accuracy"] > told["deterministic"]["accuracy"]
    assert set(told["ood"]) == set(strange)
    assert_knows_more_than_its_own_pass(told, least=0.5)


def assert_knows_more_than_its_own_pass(told: dict[str, Any], least: float = 0.0) -> None:
    """told : figures of an ensemble. least : what the pass's AUROC must be above, on every set."""
    once = told["deterministic"]
    assert told["nll"] < once["nll"]
    for name in told["ood"]:
        ensemble, single = (each["ood"][name]["entropy"]["auroc"] for each in (told, once))
        assert ensemble > single > least, name


def systems() -> dict[str, Network]:
    """Return one network for each of the five systems; Bernoulli weights serve two of them."""
    kinds = {kind: load(MODELS / f"mnist-{kind}.safetensors") for kind in KINDS}
    return {**kinds, "spiking": convert(kinds["levels"], 3)}


SYSTEMS = (*KINDS, "spiking")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simulator", "images", "members"), [("verilator", 3, 4), ("icarus", 1, 2)]
)
@pytest.mark.parametrize("name", SYSTEMS)
def test_hardware_equals_golden_on_real_images(
    name: str, simulator: str, images: int, members: int, tmp_path: Path
) -> None:
    model = tmp_path / "model.safetensors"
    save_network(systems()[name], model)
    told = simulated(model, simulator, images, members, tmp_path / "run")
    assert told["members_compared"] == images * members > 0
    assert told["members_equal"] == told["members_compared"]
    if images > 1:
        predicted = told["cycles_per_member_predicted"]
        assert told["cycles_per_member_measured"] == pytest.approx(predicted, abs=0.1)


def simulated(
    model: Path, simulator: str, images: int, members: int, folder: Path
) -> dict[str, Any]:
    """Return what `bbnn simulate` says of the first test images of MNIST."""
    options = ["--simulator", simulator, "--images", str(images), "--members", str(members)]
    arguments = ["simulate", str(model), *options, "--dataset", "mnist-1000", "-o", str(folder)]
    ran = CliRunner().invoke(group, [*arguments, "--json"], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return dict(json.loads(ran.stdout))
