"""Noise planes and the weights that a member sees (docs/numbers.md).

Shapes: rows I, columns J, row bits K, probability bits b. Column j reads its word at positions
j*b .. j*b+b-1 (mod K) of a row's bits, so only G = K / gcd(K, b) words of a row differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Ensemble, Layer, Network
from golden.lfsr import bits, runs

Bits = NDArray[np.uint8]
Words = NDArray[np.uint8]
Codes = NDArray[np.integer[Any]]

RUN = 1 << 15
"""Random bits drawn at once: enough to amortise the calls, few enough for a single image."""


def planes(layer: Layer, lfsr_width: int, count: int) -> tuple[Bits, Bits]:
    """Return the first `count` fillings of the noise plane: R (count, I, K) and C (count, J, b)."""
    assert layer.noise is not None
    return _split(layer, bits(layer.noise.seed, lfsr_width, count * layer.noise_bits))


def drops(layer: Layer, lfsr_width: int, count: int) -> NDArray[np.bool_]:
    """Return which maps the first `count` fillings drop, shape (count, maps); D, compared."""
    assert layer.noise is not None
    drawn = bits(layer.noise.seed, lfsr_width, count * layer.noise_bits)
    return _dropped(layer, drawn.reshape(count, -1))


def words(row_noise: Bits, column_noise: Bits) -> Words:
    """Return u, shape (I, J), of one filling: R of shape (I, K), C of shape (J, b).

    Bit t of u[i, j] is R[i, (j*b + t) mod K] xor C[j, t]; bit 0 is least significant.
    """
    return _joined(_row_words(row_noise, column_noise.shape[-1]), _packed(column_noise))


def stratum(member: int, probability_bits: int) -> int:
    """Return the word that stratified member number `member` xors into u: b bits, reversed."""
    return sum((member >> t & 1) << probability_bits - 1 - t for t in range(probability_bits))


def weights(codes: NDArray[np.integer[Any]], word: Words | int) -> NDArray[np.float32]:
    """Return +-1, float32, shape (I, J): +1 exactly where ``u < code``."""
    return plus_or_minus(word < codes)


def plus_or_minus(condition: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return +1 where `condition` holds and -1 elsewhere, float32."""
    # In bytes first: a quarter of the memory to go through.
    return (2 * condition.view(np.int8) - 1).astype(np.float32)


def members_per_filling(layer: Layer, ensemble: Ensemble) -> int:
    """Return how many members read one filling of the noise plane."""
    return 2**layer.probability_bits if ensemble.stratified else 1


def matrices_per_member(network: Network, index: int) -> int:
    """Return how many weights per synapse a member sees: one, or one in every time step."""
    drawn = network.ensemble.resample == "step" and network.layers[index].noise is not None
    return network.steps if drawn else 1


def member_weights(
    network: Network, index: int, images: int, members: int, drop_codes: Codes | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield the weights of layer `index`, shape (I, J), for members 0..T-1 of image 0, then 1, ...

    +-1, and 0 in the rows of dropped maps: a weight that is not driven. A member has
    `matrices_per_member` of them, in the order of its time steps. A caller that restarts the
    streams with every image asks for one image and uses it for all. drop_codes : of the maps, shape
    (maps,), in place of the layer's one.
    """
    layer = network.layers[index]
    if layer.noise is None:
        fixed = weights(layer.codes, 0)
        for _ in range(images * members):
            yield fixed
        return
    held = members_per_filling(layer, network.ensemble)
    draws = members * matrices_per_member(network, index)
    source = _fillings(layer, network.lfsr_width, drop_codes)
    for _ in range(images):
        for first in range(0, draws, held):
            row_word, column_word, dropped = next(source)
            for member in range(min(held, draws - first)):
                flip = stratum(member, layer.probability_bits)
                word = _joined(row_word, np.bitwise_xor(column_word, flip))
                matrix = weights(layer.codes, word)
                matrix[np.repeat(dropped, layer.taps)] = 0
                yield matrix


def _fillings(
    layer: Layer, lfsr_width: int, drop_codes: Codes | None
) -> Iterator[tuple[Words, Words, NDArray[np.bool_]]]:
    """Yield one filling after the other, endlessly.

    As words of rows (I, G), words of columns (J,), and whether a map is dropped (maps,).
    """
    assert layer.noise is not None
    count = max(1, RUN // layer.noise_bits)
    for run in runs(layer.noise.seed, lfsr_width, count * layer.noise_bits):
        row_noise, column_noise = _split(layer, run)
        rows = _row_words(row_noise, layer.probability_bits)
        dropped = _dropped(layer, run.reshape(count, -1), drop_codes)
        yield from zip(rows, _packed(column_noise), dropped, strict=True)


def _split(layer: Layer, stream: Bits) -> tuple[Bits, Bits]:
    """Cut R (count, I, K) and C (count, J, b) out of whole fillings.

    R is 0 in rows that are not sampled, whose weights need none.
    """
    assert layer.noise is not None
    drawn = stream.reshape(-1, layer.noise_bits)
    row_part = layer.sampled_rows * layer.noise.row_bits
    column_part = layer.columns * layer.probability_bits
    row_noise = drawn[:, :row_part].reshape(len(drawn), layer.sampled_rows, -1)
    if layer.sampled is not None:
        rows = np.zeros((len(drawn), layer.rows, layer.noise.row_bits), np.uint8)
        rows[:, layer.sampled != 0] = row_noise
        row_noise = rows
    return row_noise, drawn[:, row_part : row_part + column_part].reshape(
        len(drawn), layer.columns, -1
    )


def _dropped(layer: Layer, fillings: Bits, drop_codes: Codes | None = None) -> NDArray[np.bool_]:
    """Return which maps are dropped (count, maps): D, the end of each filling, below the code."""
    if layer.dropout is None:
        return np.zeros((len(fillings), layer.maps), np.bool_)
    drawn = fillings[:, -layer.maps * layer.dropout.bits :]
    codes = layer.dropout.code if drop_codes is None else drop_codes
    return np.asarray(_packed(drawn.reshape(len(fillings), layer.maps, -1)) < codes)


def _row_words(row_noise: Bits, probability_bits: int) -> Words:
    """Return the words (..., I, G) that the columns find in R (..., I, K)."""
    if probability_bits == 0:
        return np.zeros((*row_noise.shape[:-1], 1), np.uint8)
    row_bits = row_noise.shape[-1]
    period = row_bits // gcd(row_bits, probability_bits)
    positions = np.arange(period * probability_bits).reshape(period, -1) % row_bits
    return _packed(row_noise[..., positions])


def _joined(row_word: Words, column_word: Words) -> Words:
    """Return u (I, J) from the words of rows (I, G) and of columns (J,)."""
    period = row_word.shape[1]
    if period > 1:
        row_word = row_word[:, np.arange(len(column_word)) % period]
    return row_word ^ column_word


def _packed(noise: Bits) -> Words:
    """Return the words (...) whose bits, least significant first, are `noise` (..., b)."""
    result = np.zeros(noise.shape[:-1], np.uint8)
    for t in range(noise.shape[-1]):
        result |= noise[..., t] << np.uint8(t)
    return result
