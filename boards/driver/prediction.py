"""What an ensemble says of some images, from its members' exact integer logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Prediction", "unpack"]


class Prediction(NamedTuple):
    """T members on N images of some classes.

    integers : int64 (T, N, classes), the logits as the hardware has them; 0 for members that do not
    count after an early exit. votes : int64 (N, classes), the members whose largest logit is that
    class, the first one on a tie. counted : int64 (N,), the members of each image that count.
    fraction_bits : of the integers. classes : their names. All entropies are in nats.
    """

    integers: np.ndarray
    votes: np.ndarray
    counted: np.ndarray
    fraction_bits: int
    classes: tuple[str, ...]

    @property
    def logits(self) -> np.ndarray:
        """The logits, float64 (T, N, classes), exact."""
        return self.integers / 2.0**self.fraction_bits

    @property
    def member_probabilities(self) -> np.ndarray:
        """Each member's softmax, float64 (T, N, classes)."""
        shifted = self.logits - self.logits.max(axis=-1, keepdims=True)
        powers = np.exp(shifted)
        return powers / powers.sum(axis=-1, keepdims=True)

    @property
    def probabilities(self) -> np.ndarray:
        """The mean of the softmax of the members that count, float64 (N, classes)."""
        return self._mean(self.member_probabilities)

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each image, its number, int64 (N,)."""
        return self.probabilities.argmax(axis=-1)

    @property
    def entropy(self) -> np.ndarray:
        """Entropy of `probabilities`, float64 (N,): how unsure the ensemble is."""
        return _entropy(self.probabilities)

    @property
    def mutual_information(self) -> np.ndarray:
        """Entropy less the members' mean entropy, float64 (N,): how far they disagree."""
        members = _entropy(self.member_probabilities)[..., None]
        # Never negative, but for the rounding.
        return np.maximum(self.entropy - self._mean(members)[:, 0], 0)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of (T, N, ...) over the members that count."""
        if (self.counted == len(values)).all():
            return values.mean(axis=0)
        counts = np.arange(len(values))[:, None] < self.counted
        return (values * counts[..., None]).sum(axis=0) / self.counted[:, None]


def unpack(words: np.ndarray, packet: list, members: int) -> dict:
    """Split packets, uint32 (N, words), into int64 (N, words of the field) by the field's name."""
    fields = {}
    start = 0
    for part in packet:
        length = part["words"] * (members if part["words_per_member"] else 1)
        piece = np.ascontiguousarray(words[:, start : start + length])
        fields[part["name"]] = piece.view(np.int32 if part["signed"] else np.uint32).astype(
            np.int64
        )
        start += length
    return fields


def _entropy(q: np.ndarray) -> np.ndarray:
    return -(q * np.log(np.maximum(q, np.finfo(np.float64).tiny))).sum(axis=-1)
