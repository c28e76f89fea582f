"""Small networks that the tests build on, and their packets; all is drawn from a given seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from bbnn.description import (
    Drive,
    Ensemble,
    Folding,
    Layer,
    Logits,
    Network,
    Neuron,
    NoisePlane,
    Threshold,
)
from golden.network import logits


def random_network(
    seed: int = 1,
    *,
    sizes: tuple[int, ...] = (12, 9, 7, 4),
    probability_bits: tuple[int, ...] = (1, 1, 1),
    row_bits: tuple[int, ...] | None = None,
    lanes: tuple[tuple[int, int], ...] | None = None,
    lfsr_width: int = 32,
    **ensemble: Any,
) -> Network:
    """Return a random network with layers ``sizes[i]`` -> ``sizes[i + 1]``.

    Thresholds lie within the bulk of the sums, so that both outcomes are common.
    """
    rng = np.random.default_rng(seed)
    layers = []
    for i, b in enumerate(probability_bits):
        rows, columns = sizes[i : i + 2]
        drive = Drive(kind="sign") if i else Drive(kind="unsigned", bits=8)
        spread = int(np.sqrt(rows) * drive.maximum / 2) + 1
        neuron: Neuron
        if i == len(probability_bits) - 1:
            neuron = Logits(
                scale=rng.integers(1, 400, columns),
                offset=rng.integers(-2000, 2000, columns),
                fraction_bits=10,
            )
        else:
            neuron = Threshold(
                thresholds=rng.integers(-spread, spread + 1, columns).clip(
                    -rows * drive.maximum, rows * drive.maximum + 1
                )
            )
        folding = lanes[i] if lanes else (min(rows, 4), min(columns, 3))
        k = row_bits[i] if row_bits else b
        noise = NoisePlane(row_bits=k, seed=int(rng.integers(1, 2**lfsr_width, dtype=np.uint64)))
        layers.append(
            Layer(
                name="output" if i == len(probability_bits) - 1 else f"hidden_{i}",
                drive=drive,
                codes=rng.integers(0, 2**b + 1, (rows, columns)),
                probability_bits=b,
                neuron=neuron,
                folding=Folding(lanes_in=folding[0], lanes_out=folding[1]),
                noise=noise if b else None,
            )
        )
    return Network(
        name="random_network",
        input_shape=(1, sizes[0], 1),
        layers=tuple(layers),
        ensemble=Ensemble(**{"members": 3, **ensemble}),
        classes=tuple(f"class_{i}" for i in range(sizes[-1])),
        lfsr_width=lfsr_width,
    )


def random_images(network: Network, count: int, seed: int = 2) -> np.ndarray[Any, Any]:
    """Return uint8 images, shape (count, *input_shape); the extremes 0 and 255 occur often."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-100, 356, (count, *network.input_shape)).clip(0, 255)
    return images.astype(np.uint8)


def packets(
    network: Network, images: np.ndarray[Any, Any], members: int, member_logits: bool
) -> list[list[int]]:
    """Return the words of each image's packet as golden expects them, modulo 2**32."""
    result = []
    for number, of_image in enumerate(logits(network, images, members)):
        votes = np.bincount(of_image.argmax(axis=1), minlength=of_image.shape[1])
        body = of_image.ravel().tolist() if member_logits else []
        words = [number, *body, *of_image.sum(axis=0).tolist(), *votes.tolist(), members]
        result.append([word % 2**32 for word in words])
    return result
