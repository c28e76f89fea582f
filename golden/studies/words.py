"""Statistical tests of the random words that neurons see.

All weights are made fair coins, so that each shows the top bit of its word, as +1 or -1; that works
for every `Source`. Each test is a sum whose mean and variance are known exactly if all words are
independent, and adds up over layers, members and seeds. Symbols: rows I, columns J, members M;
s[i, j] the coin of row i and column j in one member.

    bias            share of s = +1                                     expected 1/2
    runs            share of rows i with s[i, j] != s[i + 1, j],        expected 1/2
                    along each column: the number of runs less 1, over I - 1
    member runs     the same from each member to the next               expected 1/2
    correlation     mean of g / I over pairs of columns j < k,          expected 0
                    g = sum_i s[i, j] s[i, k] in one member
    squared         mean of g**2 / I over the same pairs                expected 1

Pairs of columns that read the same bits of every row have g = +-I, so that "squared" is I there,
not 1: what a small noise plane gives up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network
from golden.source import Source

TESTS: tuple[str, ...] = ("bias", "runs", "member runs", "correlation", "squared")


@dataclass(frozen=True, slots=True)
class Sum:
    """The outcome of a test over so many `terms`, beside what independent words would give."""

    observed: float = 0.0
    expected: float = 0.0
    variance: float = 0.0
    terms: float = 0.0

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.observed + other.observed,
            self.expected + other.expected,
            self.variance + other.variance,
            self.terms + other.terms,
        )

    @property
    def mean(self) -> float | None:
        """The mean of a term, None where there was none."""
        return self.observed / self.terms if self.terms else None

    @property
    def z(self) -> float | None:
        """Deviations from what is expected, None where nothing can deviate."""
        if self.variance == 0:
            return None
        return (self.observed - self.expected) / math.sqrt(self.variance)

    @property
    def p(self) -> float | None:
        """Probability of so large a deviation, to either side, of a normal variable."""
        return None if self.z is None else math.erfc(abs(self.z) / math.sqrt(2))


def examine(network: Network, members: int, source: Source) -> dict[str, dict[str, Sum]]:
    """Return the outcome of every test, by layer with b > 0 and by test, over `members` members.

    Of the first image, whose members are drawn independently even if the network stratifies them.
    """
    coins = replace(
        network,
        layers=tuple(map(_coins, network.layers)),
        ensemble=replace(network.ensemble, stratified=False),
    )
    return {
        layer.name: _of_layer(source.weights(coins, index, 1, members))
        for index, layer in enumerate(coins.layers)
        if layer.probability_bits
    }


def _coins(layer: Layer) -> Layer:
    """Return the layer with all its weights fair coins, and no map dropped."""
    if layer.probability_bits == 0:
        return layer
    half = np.full_like(layer.codes, 2 ** (layer.probability_bits - 1))
    return replace(layer.all_sampled(), codes=half, dropout=None)


def _of_layer(drawn: Iterator[NDArray[np.float32]]) -> dict[str, Sum]:
    result = dict.fromkeys(TESTS, Sum())
    last = None
    for coins in drawn:
        ones = int(np.count_nonzero(coins > 0))
        result["bias"] += _halves(ones, coins.size)
        result["runs"] += _changes(coins[1:], coins[:-1])
        if last is not None:
            result["member runs"] += _changes(coins, last)
        last = coins
        rows, columns = coins.shape
        pairs = columns * (columns - 1) // 2
        # Exact: sums of fewer than 2**24 signs.
        products = (coins.T @ coins).astype(np.float64)[np.triu_indices(columns, 1)]
        result["correlation"] += Sum(float(products.sum()), 0, rows * pairs, rows * pairs)
        # Of a sum g of I signs, g**2 / I has mean 1 and variance 2 - 2 / I.
        squares = float((products**2).sum() / rows)
        result["squared"] += Sum(squares, pairs, pairs * (2 - 2 / rows), pairs)
    return result


def _changes(these: NDArray[np.float32], those: NDArray[np.float32]) -> Sum:
    return _halves(int(np.count_nonzero(these != those)), these.size)


def _halves(count: int, of: int) -> Sum:
    """Return the sum of a count that is binomial, each of the `of` with 1/2."""
    return Sum(count, of / 2, of / 4, of)
