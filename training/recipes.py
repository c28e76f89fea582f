"""The recipes of the shipped networks; `docs/training.md` has their figures and their spread."""

from __future__ import annotations

import dataclasses

from bbnn.description import Folding, Pool, Window
from training.block import Block
from training.recipe import Recipe
from training.settings import Settings

MLP = Settings(
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
CONV = dataclasses.replace(MLP, epochs=8, calibration_images=2_000, calibration_members=10)
MAX, SUM = Pool(kind="max", size=2), Pool(kind="sum", size=2)


def mlp(
    sizes: tuple[int, ...], lanes: tuple[tuple[int, int], ...], levels: int = 0
) -> tuple[Block, ...]:
    """Return fully connected layers of `sizes` behind the images; lanes : (in, out) of each."""
    last = len(sizes) - 1
    return tuple(
        Block(
            name="output" if index == last else f"hidden_{index}",
            columns=columns,
            folding=Folding(lanes_in=lanes[index][0], lanes_out=lanes[index][1]),
            levels=0 if index == last else levels,
        )
        for index, columns in enumerate(sizes)
    )


def conv(
    *,
    bernoulli: bool = True,
    dropout: float = 0.0,
    scale_dropout: float = 0.0,
    levels: int = 0,
    pool: Pool = MAX,
) -> tuple[Block, ...]:
    """Return 3x3x32 - pool - 3x3x64 - pool - 128 - output on 28 x 28 grey images."""
    shapes = ((28, 28, 1), (13, 13, 32))
    windows = [
        Window(height=height, width=width, channels=channels, kernel=3)
        for height, width, channels in shapes
    ]
    first, second = (
        Block(
            name=f"conv_{index}",
            columns=columns,
            folding=folding,
            window=window,
            pool=pool,
            bernoulli=bernoulli,
            levels=levels,
            # The paper's place is the input of every convolution; pixels are no maps to drop.
            dropout=dropout if index else 0.0,
            scale_dropout=scale_dropout,
        )
        for index, (columns, folding, window) in enumerate(
            zip(
                (32, 64),
                (Folding(lanes_in=9, lanes_out=32), Folding(lanes_in=72, lanes_out=16)),
                windows,
                strict=True,
            )
        )
    )
    hidden = Block(
        name="hidden",
        columns=128,
        folding=Folding(lanes_in=64, lanes_out=16),
        bernoulli=bernoulli,
        levels=levels,
        dropout=dropout,
        scale_dropout=scale_dropout,
    )
    output = Block(
        name="output",
        columns=10,
        folding=Folding(lanes_in=32, lanes_out=10),
        bernoulli=bernoulli,
        dropout=dropout,
    )
    return first, second, hidden, output


RECIPES = {
    "fashion-mlp": Recipe(
        name="fashion_mlp",
        data_set="fashion-mnist",
        ood=("mnist", "noise"),
        blocks=mlp((256, 256, 10), ((56, 32), (32, 16), (32, 10))),
        settings=MLP,
    ),
    "mnist-mlp": Recipe(
        name="mnist_mlp",
        data_set="mnist",
        ood=("fashion-mnist", "noise"),
        blocks=mlp((256, 256, 256, 10), ((56, 32), (32, 16), (32, 16), (32, 10))),
        settings=MLP,
    ),
    "mnist-conv": Recipe(
        name="mnist_conv",
        data_set="mnist",
        ood=("fashion-mnist", "noise"),
        blocks=conv(),
        settings=CONV,
    ),
    "mnist-spatial": Recipe(
        name="mnist_spatial",
        data_set="mnist",
        ood=("fashion-mnist", "noise"),
        blocks=conv(bernoulli=False, dropout=0.15),
        settings=CONV,
    ),
    "mnist-scale": Recipe(
        name="mnist_scale",
        data_set="mnist",
        ood=("fashion-mnist", "noise"),
        blocks=conv(bernoulli=False, scale_dropout=0.3),
        settings=CONV,
    ),
    "mnist-levels": Recipe(
        name="mnist_levels",
        data_set="mnist",
        ood=("fashion-mnist", "noise"),
        blocks=conv(levels=3, pool=SUM),
        settings=CONV,
    ),
}
"""By the name of the file that ships."""
