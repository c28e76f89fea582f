"""Everything that decides a training run but its data and its layers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All that decides a training run; `docs/training.md` says what each does.

    spread : largest initial ``|lam|``. learning_rate : of lam, per image. kl_weight : of the pull
    to the prior, 1 being the full evidence bound. momentum : of lam. bias_rate : Adam's, for the
    biases. Both rates fall to 0 along a cosine. gain : of the logits while training.
    pixel_dropout : share of the pixels that are 0 in training. shift : pixels by which training
    moves an image at most, in each direction; what enters is 0. flip : whether it mirrors half of
    the images. sharpness : what the logits are multiplied with in the end. calibration_images,
    calibration_members : what the final batch norm statistics average over.
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
    shift: int
    flip: bool
    sharpness: float
    calibration_images: int
    calibration_members: int
