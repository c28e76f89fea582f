"""The recipe of models/fashion-mlp.safetensors: 784-256-256-10 on Fashion-MNIST.

`bbnn train fashion-mlp` runs it; `docs/training.md` has its settings, figures and their spread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bbnn.data import Images, Labels, load
from bbnn.data.sets import FASHION_MNIST
from bbnn.description import Ensemble, Folding, Network
from training.export import dense_layers
from training.fit import Examples, Settings, accuracy_and_nll, fit
from training.mlp import Mlp

SIZES = (784, 256, 256, 10)
NAMES = ("hidden_0", "hidden_1", "output")
FOLDINGS = (
    Folding(lanes_in=56, lanes_out=32),
    Folding(lanes_in=32, lanes_out=16),
    Folding(lanes_in=32, lanes_out=10),
)
MEMBERS = 10
"""Members of the shipped ensemble."""
VALIDATION = 5_000
"""Last images of the training set, never trained on: they alone chose what was chosen."""
VALIDATION_MEMBERS = 20
SETTINGS = Settings(
    seed=1,
    epochs=60,
    batch=128,
    spread=5.0,
    learning_rate=0.06,
    kl_weight=1e-3,
    momentum=0.9,
    bias_rate=3e-3,
    gain=2.2,
    pixel_dropout=0.1,
    sharpness=1.2,
    calibration_images=10_000,
    calibration_members=20,
)

Progress = Callable[[int, float, float], None]
"""Called after each epoch: its number, from 1; mean training loss; validation accuracy at T = 1."""


def train(settings: Settings, progress: Progress) -> Network:
    """Return the trained network; its figures hold the recipe and the validation's result.

    Repeatable to the bit on one machine with one version of PyTorch.
    """
    # The matrices are small, and threads that wait for each other on a busy machine cost minutes.
    torch.set_num_threads(1)
    images, labels = load(FASHION_MNIST.name, "train")
    chosen = examples(images[:-VALIDATION], labels[:-VALIDATION])
    held_out = examples(images[-VALIDATION:], labels[-VALIDATION:])
    generator = torch.Generator().manual_seed(settings.seed)
    model = Mlp(SIZES, settings.spread, settings.gain, generator)

    def after_epoch(epoch: int, loss: float) -> None:
        draws = torch.Generator().manual_seed(epoch)
        progress(epoch, loss, accuracy_and_nll(model, held_out, 1, draws)[0])

    fit(model, chosen, settings, after_epoch)
    draws = torch.Generator().manual_seed(settings.seed)
    accuracy, nll = accuracy_and_nll(model, held_out, VALIDATION_MEMBERS, draws)
    validation = {"members": VALIDATION_MEMBERS, "accuracy": accuracy, "nll": nll}
    return export(model, {"recipe": recipe(settings), "validation": validation})


def export(model: Mlp, figures: dict[str, Any]) -> Network:
    """Return the integer network that a calibrated model folds into."""
    return Network(
        name="fashion_mlp",
        input_shape=(28, 28, 1),
        layers=dense_layers([layer.trained() for layer in model.layers], NAMES, FOLDINGS),
        ensemble=Ensemble(members=MEMBERS),
        classes=FASHION_MNIST.classes,
        figures=figures,
    )


def recipe(settings: Settings) -> dict[str, Any]:
    """Return what a reader must know to judge the network's numbers, as JSON."""
    return {
        "data_set": FASHION_MNIST.name,
        "training_images": 60_000 - VALIDATION,
        "weight_samples": "hard, codes 0, 1/2, 1; straight-through (tau 0)",
        **dataclasses.asdict(settings),
        "torch": torch.__version__,
    }


def examples(images: Images, labels: Labels) -> Examples:
    """Return images and labels as training wants them: raw pixels, float32, and int64 classes."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    return Examples(
        pixels=torch.from_numpy(pixels), labels=torch.from_numpy(labels.astype(np.int64))
    )
