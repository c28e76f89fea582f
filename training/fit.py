"""The training loop: natural-gradient steps on the weights, Adam on everything else.

For Bernoulli weights in natural parameters, the natural gradient of the evidence bound is the
gradient with respect to their mean, times the number of images, plus the pull of the Kullback-
Leibler term back to the prior lam = 0 (BayesBiNN, equation 9). That is stochastic gradient
descent with weight decay, which is how it is written here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from training.mlp import Mlp


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All that decides a training run; `docs/training.md` says what each does.

    spread : largest initial ``|lam|``. learning_rate : of lam, per image. kl_weight : of the pull
    to the prior, 1 being the full evidence bound. momentum : of lam. bias_rate : Adam's, for the
    biases. Both rates fall to 0 along a cosine. gain : of the logits while training.
    pixel_dropout : share of the pixels that are 0 in training. sharpness : what the logits are
    multiplied with in the end. calibration_images, calibration_members : what the final batch norm
    statistics average over.
    """

    seed: int
    epochs: int
    batch: int
    spread: float
    learning_rate: float
    kl_weight: float
    momentum: float
    bias_rate: float
    gain: float
    pixel_dropout: float
    sharpness: float
    calibration_images: int
    calibration_members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Raw pixels as float32 (count, rows) and labels as int64 (count,)."""

    pixels: Tensor
    labels: Tensor


Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and its mean training loss."""


def fit(model: Mlp, train: Examples, settings: Settings, progress: Progress) -> None:
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
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(count, generator=generator)[: steps * settings.batch]
        for batch in order.split(settings.batch):
            pixels = train.pixels[batch]
            kept = torch.rand(pixels.shape, generator=generator) >= settings.pixel_dropout
            logits = model(pixels * kept, model.sample(generator))
            loss = functional.cross_entropy(logits, train.labels[batch])
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            total += loss.item()
        progress(epoch, total / steps)
    sample = train.pixels[: settings.calibration_images]
    model.calibrate(sample, settings.calibration_members, generator)
    model.layers[-1].sharpen(settings.sharpness)


@torch.no_grad()
def accuracy_and_nll(
    model: Mlp, examples: Examples, members: int, generator: torch.Generator
) -> tuple[float, float]:
    """Return accuracy and mean negative log-likelihood (nats) of the members' mean softmax."""
    model.eval()
    probability = torch.zeros(())
    for _ in range(members):
        logits = model(examples.pixels, model.sample(generator))
        probability = probability + functional.softmax(logits, dim=1) / members
    accuracy = (probability.argmax(1) == examples.labels).double().mean()
    nll = functional.nll_loss(probability.log(), examples.labels)
    return float(accuracy), float(nll)
