"""A recipe: the data, blocks and settings that make a shipped network, and how it is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bbnn.data import Images, Labels, load
from bbnn.data.sets import by_name
from bbnn.description import PIXEL_BITS, Ensemble, Network, ScaleDropout
from bbnn.sparsity import split
from training.block import Block
from training.export import DROPOUT_BITS, SCALE_SEED, layers_of
from training.settings import Settings

VALIDATION = 5_000
"""Last images of the training set, never trained on: they alone chose what was chosen."""
VALIDATION_MEMBERS = 20
Progress = Callable[[int, float, float], None]
"""Called after each epoch: its number, from 1; mean training loss; validation accuracy at T = 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a network comes about.

    name : of the network, a Verilog identifier. data_set : name in `bbnn.data`. ood : names of the
    images that its uncertainty is measured with, `bbnn.data.ood`'s. members : T of its ensemble.
    pixel_bits : upper bits of each pixel that it reads.
    split : whether random rows are kept apart from the others, as `bbnn.sparsity.split` does.
    """

    name: str
    data_set: str
    ood: tuple[str, ...]
    blocks: tuple[Block, ...]
    settings: Settings
    members: int = 10
    pixel_bits: int = PIXEL_BITS
    split: bool = False


def held_out(images: Images, labels: Labels) -> tuple[Images, Labels]:
    """Return the validation images of a training set, and their labels."""
    return images[-VALIDATION:], labels[-VALIDATION:]


def train(recipe: Recipe, settings: Settings, progress: Progress) -> Network:
    """Return the trained network; its figures hold the recipe and the validation's result.

    Repeatable to the bit on one machine with one version of PyTorch.
    """
    import torch

    from training.fit import accuracy_and_nll, examples, fit
    from training.model import Model

    # The matrices are small, and threads that wait for each other on a busy machine cost minutes.
    torch.set_num_threads(1)
    images, labels = load(recipe.data_set, "train")
    chosen = examples(images[:-VALIDATION], labels[:-VALIDATION], recipe.pixel_bits)
    validation = examples(*held_out(images, labels), recipe.pixel_bits)
    generator = torch.Generator().manual_seed(settings.seed)
    shape = images.shape[1:]
    model = Model(recipe.blocks, shape, settings.spread, settings.gain, generator)

    def after_epoch(epoch: int, loss: float) -> None:
        draws = torch.Generator().manual_seed(epoch)
        progress(epoch, loss, accuracy_and_nll(model, validation, 1, draws)[0])

    fit(model, chosen, settings, after_epoch)
    draws = torch.Generator().manual_seed(settings.seed)
    accuracy, nll = accuracy_and_nll(model, validation, VALIDATION_MEMBERS, draws)
    figures = {
        "recipe": told(recipe, settings, len(chosen.labels), torch.__version__),
        "validation": {"members": VALIDATION_MEMBERS, "accuracy": accuracy, "nll": nll},
    }
    return network_of(recipe, [layer.trained() for layer in model.layers], shape, figures)


def network_of(
    recipe: Recipe, trained: list[Any], shape: tuple[int, int, int], figures: dict[str, Any]
) -> Network:
    """Return the integer network that trained layers fold into."""
    scaled = {block.scale_dropout for block in recipe.blocks} - {0.0}
    assert len(scaled) <= 1, "one unit has one probability"
    unit = [
        ScaleDropout(code=round(p * 2**DROPOUT_BITS), bits=DROPOUT_BITS, seed=SCALE_SEED)
        for p in scaled
    ]
    network = Network(
        name=recipe.name,
        input_shape=shape,
        layers=layers_of(trained, recipe.blocks, recipe.pixel_bits),
        ensemble=Ensemble(members=recipe.members),
        classes=by_name(recipe.data_set).classes,
        scale_dropout=unit[0] if unit else None,
        figures=figures,
    )
    return split(network) if recipe.split else network


def told(recipe: Recipe, settings: Settings, images: int, version: str) -> dict[str, Any]:
    """Return what a reader must know to judge the network's numbers, as JSON."""
    return {
        "data_set": recipe.data_set,
        "training_images": images,
        "pixel_bits": recipe.pixel_bits,
        "weight_samples": "hard, codes 0, 1/2, 1; straight-through (tau 0)",
        **dataclasses.asdict(settings),
        **{
            f"{block.name}_sampling": dataclasses.asdict(block.sampling)
            for block in recipe.blocks
            if block.sampling
        },
        "torch": version,
    }
