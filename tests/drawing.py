"""Networks of blocks, drawn from a seed: random codes, and neurons whose outcomes are common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

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
    Pool,
    Quantised,
    ScaleDropout,
    SpatialDropout,
    Spiking,
    Threshold,
    Window,
    output_drive,
)

Kind = Literal["threshold", "scaled", "quantised", "spiking", "logits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A layer to be drawn: a convolution where `kernel` is set, else fully connected.

    bits : probability bits b. row_bits : K, the least that b allows if None. levels : output bits
    of a quantised neuron. adds : number of the block whose outputs are added. lanes_in : input maps
    a cycle (rows / kernel**2) and lanes_out : columns a cycle; the nearest that fit are taken.
    sampled : the input maps that are sampled, all if None. reuse : the others' sums. held : inputs
    that the codes of a column group, which come from memory then, serve.
    """

    columns: int
    neuron: Kind = "threshold"
    kernel: int | None = None
    stride: int = 1
    padding: int = 0
    pool: Pool | None = None
    bits: int = 1
    row_bits: int | None = None
    levels: int = 2
    fraction_bits: int = 3
    dropout: SpatialDropout | None = None
    adds: int | None = None
    lanes_in: int = 2
    lanes_out: int = 2
    sampled: tuple[int, ...] | None = None
    reuse: bool = False
    held: int = 0


def build(
    seed: int,
    blocks: tuple[Block, ...],
    *,
    input_shape: tuple[int, int, int] = (6, 6, 2),
    steps: int = 1,
    encoding: Literal["constant", "rate"] = "constant",
    pixel_bits: int = 8,
    scale_dropout: tuple[int, int] = (2, 3),
    lfsr_width: int = 32,
    **ensemble: Any,
) -> Network:
    """Return a network of `blocks`, each fed with what the one before puts out.

    scale_dropout : (code, bits), used if a block's neurons are "scaled". ensemble : fields of
    `Ensemble`; three members unless told.
    """
    rng = np.random.default_rng(seed)

    def lfsr_seed() -> int:
        return int(rng.integers(1, 2**lfsr_width, dtype=np.uint64))

    shape = input_shape
    drive = Drive(kind="unsigned", bits=pixel_bits if encoding == "constant" else 1)
    layers: list[Layer] = []
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        name = "output" if last else f"{'conv' if block.kernel else 'dense'}_{index}"
        layer = _layer(rng, block, name, shape, drive, lfsr_seed())
        adds = None if block.adds is None else layers[block.adds].name
        layers.append(replace(layer, adds=adds))
        shape = layer.output_shape
        if not last:
            drive = output_drive(layers)
    scaled = any(block.neuron == "scaled" for block in blocks)
    code, bits = scale_dropout
    return Network(
        name="system",
        input_shape=input_shape,
        layers=tuple(layers),
        ensemble=Ensemble(**{"members": 3, **ensemble}),
        classes=tuple(f"class_{i}" for i in range(blocks[-1].columns)),
        lfsr_width=lfsr_width,
        steps=steps,
        encoding=encoding,
        scale_dropout=ScaleDropout(code=code, bits=bits, seed=lfsr_seed()) if scaled else None,
    )


def _layer(
    rng: np.random.Generator,
    block: Block,
    name: str,
    shape: tuple[int, int, int],
    drive: Drive,
    seed: int,
) -> Layer:
    window, taps, maps = None, 1, int(np.prod(shape))
    if block.kernel:
        height, width, channels = shape
        window = Window(
            height=height,
            width=width,
            channels=channels,
            kernel=block.kernel,
            stride=block.stride,
            padding=block.padding,
        )
        taps, maps = window.taps, channels
    rows, columns, b = maps * taps, block.columns, block.bits
    lanes_in = min(block.lanes_in, maps) * taps
    fitting = [n for n in range(1, columns + 1) if columns % n == 0 or not window]
    lanes_out = max(n for n in fitting if n <= block.lanes_out)
    row_bits = b if block.row_bits is None else block.row_bits
    # The deviation of a sum; half of all spikes and of all pixels count.
    spread = np.sqrt(rows) * drive.maximum * (1 if drive.kind == "sign" else 0.6)
    codes, sampled = rng.integers(0, 2**b + 1, (rows, columns)), None
    if block.sampled is not None:
        sampled = np.isin(np.arange(rows) // taps, block.sampled).astype(np.uint8)
        codes = np.where(sampled[:, None], codes, rng.integers(0, 2, codes.shape) << b)
    return Layer(
        name=name,
        drive=drive,
        codes=codes,
        probability_bits=b,
        neuron=_neuron(rng, block, spread, rows * drive.maximum),
        folding=Folding(lanes_in=lanes_in, lanes_out=lanes_out, reuse=block.reuse, held=block.held),
        noise=NoisePlane(row_bits=row_bits, seed=seed) if b or block.dropout else None,
        window=window,
        pool=block.pool,
        dropout=block.dropout,
        sampled=sampled,
    )


def _neuron(rng: np.random.Generator, block: Block, spread: float, reach: int) -> Neuron:
    columns = block.columns

    def integers(low: float, high: float) -> np.ndarray[Any, Any]:
        return rng.integers(round(low), round(high) + 1, columns)

    if block.neuron == "logits":
        return Logits(scale=integers(1, 400), offset=integers(-2000, 2000), fraction_bits=10)
    if block.neuron in ("threshold", "scaled"):
        # The largest of four sums is larger.
        low, high = (0, 1.5 * spread) if block.pool else (-spread / 2, spread / 2)
        kept, dropped = (integers(low, high).clip(-reach, reach + 1) for _ in "ab")
        return Threshold(thresholds=kept, dropped=dropped if block.neuron == "scaled" else None)
    if block.neuron == "quantised":
        steepness = 2**block.levels / (2 * spread)
        shift = max(0, 7 - int(np.floor(np.log2(steepness))))
        scale = steepness * 2**shift
        quarter = 2 ** (shift + block.levels) / 4
        return Quantised(
            scale=integers(scale / 2, 1.5 * scale),
            offset=integers(-quarter, 2 * quarter),
            shift=shift,
            bits=block.levels,
        )
    unit = spread * 2**block.fraction_bits
    return Spiking(
        thresholds=integers(max(1, unit / 2), max(1, 1.5 * unit)),
        start=integers(-unit / 2, unit),
        bias=integers(-unit / 4, unit / 2),
        fraction_bits=block.fraction_bits,
    )


def drop(code: int, bits: int) -> SpatialDropout:
    """Return the dropout of probability ``code / 2**bits``."""
    return SpatialDropout(code=code, bits=bits)


MAX, SUM = Pool(kind="max", size=2), Pool(kind="sum", size=2)
