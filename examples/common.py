"""What the examples share: the model they are told, and the value of its ensemble."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bbnn import data, model_file
from bbnn.description import Network
from golden.evaluation import evaluate

MODELS = Path(__file__).parents[1] / "models"
IMAGES = 500
MEMBERS = 10


def told(arguments: list[str], name: str) -> tuple[Network, int]:
    """Return what the command line says, [MODEL [IMAGES]]: the shipped model, and 500 images."""
    path = arguments[1] if len(arguments) > 1 else MODELS / f"{name}.safetensors"
    return model_file.load(path), int(arguments[2]) if len(arguments) > 2 else IMAGES


def compare_with_one_member(network: Network, count: int) -> None:
    """Print the quality of ten members beside one, on digits and, as strangers, clothes."""
    images, labels = data.load("mnist-1000")
    strangers, _ = data.load("fashion-mnist-1000")
    ensemble = replace(network, ensemble=replace(network.ensemble, members=MEMBERS))
    print(f"on {count} digits, and {count} images of clothes as strangers:")
    for members in (1, MEMBERS):
        ood = {"clothes": strangers[:count]}
        found = evaluate(ensemble, images[:count], labels[:count], ood, members).figures
        print(
            f"  T = {members:2}: accuracy {found['accuracy']:.3f}, NLL {found['nll']:.3f},"
            f" strangers told apart (AUROC) {found['ood']['clothes']['entropy']['auroc']:.3f}"
        )
