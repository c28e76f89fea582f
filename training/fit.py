"""The training loop: natural-gradient steps on the weights, Adam on everything else.

For Bernoulli weights in natural parameters, the natural gradient of the evidence bound is the
gradient with respect to their mean, times the number of images, plus the pull of the Kullback-
Leibler term back to the prior lam = 0 (BayesBiNN, equation 9). That is stochastic gradient
descent with weight decay, which is how it is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from bbnn.data import Images, Labels
from bbnn.description import PIXEL_BITS
from training import sparsity
from training.augment import augmented
from training.model import Model
from training.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """What is read of pixels as float32 (count, rows) and labels as int64 (count,)."""

    pixels: Tensor
    labels: Tensor


def examples(images: Images, labels: Labels, pixel_bits: int = PIXEL_BITS) -> Examples:
    """Return images and labels as training wants them: pixels' upper bits and int64 classes."""
    pixels = (images.reshape(len(images), -1) >> (PIXEL_BITS - pixel_bits)).astype(np.float32)
    return Examples(
        pixels=torch.from_numpy(pixels), labels=torch.from_numpy(labels.astype(np.int64))
    )


EVALUATION_BATCH = 1_000
Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and its mean training loss."""


def fit(model: Model, train: Examples, settings: Settings, progress: Progress) -> None:
    """Train `model` in place and calibrate its batch norms."""
    generator = torch.Generator().manual_seed(settings.seed)
    count = len(train.labels)
    steps = count // settings.batch
    lams = [layer.lam for layer in model.layers]
    biases = [layer.bias for layer in model.layers]
    optimizers = [
        torch.optim.SGD(
            lams,
            lr=settings.learning_rate * count,
            momentum=settings.momentum,
            dampening=settings.momentum,
            weight_decay=settings.kl_weight / count,
        ),
        torch.optim.Adam(biases, lr=settings.bias_rate),
    ]
    schedules = [CosineAnnealingLR(each, settings.epochs * steps) for each in optimizers]
    done = 0
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(count, generator=generator)[: steps * settings.batch]
        for batch in order.split(settings.batch):
            pixels = augmented(train.pixels[batch], model.shape, settings, generator)
            logits = model(pixels, model.sample(generator))
            loss = functional.cross_entropy(logits, train.labels[batch])
            for optimizer in optimizers:
                optimizer.zero_grad()
            (loss + sparsity.penalty(model.layers) / count).backward()
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            done += 1
            sparsity.choose(model.layers, done / (settings.epochs * steps))
            total += loss.item()
        progress(epoch, total / steps)
    sample = train.pixels[: settings.calibration_images]
    model.calibrate(sample, settings.calibration_members, generator)
    model.layers[-1].sharpen(settings.sharpness)


@torch.no_grad()
def accuracy_and_nll(
    model: Model, examples: Examples, members: int, generator: torch.Generator
) -> tuple[float, float]:
    """Return accuracy and mean negative log-likelihood (nats) of the members' mean softmax."""
    model.eval()
    probability = torch.zeros(())
    for _ in range(members):
        draws = model.sample(generator)
        parts = [model(part, draws) for part in examples.pixels.split(EVALUATION_BATCH)]
        probability = probability + functional.softmax(torch.cat(parts), dim=1) / members
    accuracy = (probability.argmax(1) == examples.labels).double().mean()
    nll = functional.nll_loss(probability.log(), examples.labels)
    return float(accuracy), float(nll)
