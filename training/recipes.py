"""The recipes of the shipped networks; `docs/training.md` has their figures and their spread."""

from __future__ import annotations

import dataclasses

from bbnn.description import Folding, Pool, Window
from training.block import Block, RowSampling
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
    shift=0,
    flip=False,
)
CONV = dataclasses.replace(
    MLP, epochs=10, pixel_dropout=0.0, calibration_images=2_000, calibration_members=10
)
LEVELS = dataclasses.replace(CONV, epochs=8, pixel_dropout=0.1, kl_weight=3e-3)
"""Without pixel dropout these are as accurate, and tell strangers far less well apart.

Pulled less to the prior, they keep fewer coins, and some ensembles know less than a single pass.
"""
SPARSE = dataclasses.replace(CONV, epochs=16, pixel_dropout=0.1)
"""Pixel dropout lets it tell noise apart, and takes longer to be as accurate."""
VGG = dataclasses.replace(CONV, epochs=10, shift=3, flip=True)
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


SFC = tuple(
    dataclasses.replace(block, bernoulli=block.name in ("hidden_1", "hidden_2"))
    for block in mlp((256, 256, 256, 10), ((56, 64), (32, 32), (32, 32), (32, 10)))
)
"""The size of FINN's smallest network; what is random lies behind its large first layer.

The output is not: its ten columns would let a noise plane fill by two bits a cycle only.
"""


HALF = RowSampling(group=64, kept=2, penalty=0.05, chosen_after=0.3, kl_weight=0.01)
"""Half of the rows of a layer of 256: groups of its 64 lanes."""
FAST = tuple(
    dataclasses.replace(
        block,
        bernoulli=block.name == "hidden_2",
        sampling=HALF if block.name == "hidden_2" else None,
    )
    for block in mlp((256, 256, 256, 10), ((56, 10), (24, 4), (64, 8), (20, 2)))
)
"""The same size for the smallest hardware at BYNQNet's rate: little is read again for a member."""


def conv(
    *,
    bernoulli: bool = True,
    dropout: float = 0.0,
    scale_dropout: float = 0.0,
    levels: int = 0,
    pool: Pool = MAX,
    sampling: RowSampling | None = None,
) -> tuple[Block, ...]:
    """Return 3x3x32 - pool - 3x3x64 - pool - 128 - output on 28 x 28 grey images.

    sampling : of the hidden layer; convolutions then have fixed signs.
    """
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
            bernoulli=bernoulli and sampling is None,
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
        sampling=sampling,
    )
    output = Block(
        name="output",
        columns=10,
        folding=Folding(lanes_in=32, lanes_out=10),
        bernoulli=bernoulli,
        dropout=dropout,
    )
    return first, second, hidden, output


def vgg(width: int, fully: int, levels: int) -> tuple[Block, ...]:
    """Return VGGBinaryConnect on 32 x 32 colour images; its own width is 128, with fully = 1024.

    Twice 3x3 x width - 3x3 x width - pool, the width doubled each time, then two fully connected
    layers and the output (Courbariaux, Bengio, David, "BinaryConnect", arXiv:1511.00363).
    """
    blocks = []
    channels, size = 3, 32
    for stage in range(3):
        columns = width << stage
        for second in (False, True):
            blocks.append(
                Block(
                    name=f"conv_{2 * stage + second}",
                    columns=columns,
                    folding=Folding(lanes_in=9 * min(channels, 8), lanes_out=min(columns, 16)),
                    window=Window(height=size, width=size, channels=channels, kernel=3, padding=1),
                    pool=MAX if second else None,
                    levels=levels,
                )
            )
            channels = columns
        size //= 2
    lanes = ((64, 8), (64, 8), (32, 10))
    return (*blocks, *mlp((fully, fully, 10), lanes, levels=levels))


POSITIONS = RowSampling(group=64, kept=3, penalty=0.05, chosen_after=0.3, kl_weight=0.1)
"""Three of the 25 positions of the last map: groups of the hidden layer's 64 lanes. 12 % of all."""


def grey(scale_dropout: float) -> dict[str, tuple[Block, ...]]:
    """Return what is trained on both grey data sets; they differ in what suits their scales."""
    return {
        "conv": conv(),
        "spatial": conv(bernoulli=False, dropout=0.15),
        "scale": conv(bernoulli=False, scale_dropout=scale_dropout),
        "levels": conv(levels=3, pool=SUM),
        "sparse": conv(sampling=POSITIONS),
    }


OWN = {"levels": LEVELS, "sparse": SPARSE}
"""Settings of those that do not have `CONV`."""

STRANGERS = ("cifar-10", "noise")
"""Of all grey networks, beside the other of their two sets."""

SEEDS = {
    "mnist-mlp": 2,
    "mnist-sfc": 3,
    "mnist-conv": 2,
    "fashion-conv": 3,
    "fashion-spatial": 2,
}
"""Of those that ship; 1 for all others. docs/training.md says how they were chosen."""


def seeded(name: str, settings: Settings) -> Settings:
    """Return the settings with the seed of the file `name` that ships."""
    return dataclasses.replace(settings, seed=SEEDS.get(name, 1))


RECIPES = {
    "fashion-mlp": Recipe(
        name="fashion_mlp",
        data_set="fashion-mnist",
        ood=("mnist", *STRANGERS),
        blocks=mlp((256, 256, 10), ((56, 32), (32, 16), (32, 10))),
        settings=MLP,
    ),
    "mnist-mlp": Recipe(
        name="mnist_mlp",
        data_set="mnist",
        ood=("fashion-mnist", *STRANGERS),
        blocks=SFC,
        settings=dataclasses.replace(seeded("mnist-mlp", MLP), pixel_dropout=0.05),
    ),
    "mnist-sfc": Recipe(
        name="mnist_sfc",
        data_set="mnist",
        ood=("fashion-mnist", *STRANGERS),
        blocks=FAST,
        settings=dataclasses.replace(seeded("mnist-sfc", MLP), pixel_dropout=0.05),
        pixel_bits=2,
        split=True,
    ),
    **{
        f"{short}-{kind}": Recipe(
            name=f"{short}_{kind}",
            data_set=data_set,
            ood=(ood, *STRANGERS),
            blocks=blocks,
            settings=seeded(f"{short}-{kind}", OWN.get(kind, CONV)),
        )
        for short, data_set, ood, scale_dropout in (
            ("mnist", "mnist", "fashion-mnist", 0.5),
            ("fashion", "fashion-mnist", "mnist", 0.3),
        )
        for kind, blocks in grey(scale_dropout).items()
    },
    "cifar-vgg": Recipe(
        name="cifar_vgg",
        data_set="cifar-10",
        ood=("shuffled", "noise"),
        blocks=vgg(width=32, fully=256, levels=3),
        settings=VGG,
    ),
}
"""By the name of the file that ships."""
