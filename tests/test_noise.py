"""The noise plane: draw order, words, weights; their distribution, exact where it can be."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbnn.description import Layer, Network, NoisePlane, SpatialDropout
from golden.lfsr import bits
from golden.noise import drops, member_weights, planes, stratum, weights, words
from networks import random_network
from systems import spatial_network

SEEDS = (1, 2, 3)


def plane(
    b: int, row_bits: int, seed: int = 1, rows: int = 6, columns: int = 5, **ensemble: Any
) -> tuple[Network, Layer]:
    """Return a network whose first layer is under test, and that layer."""
    network = random_network(
        seed,
        sizes=(rows, columns),
        probability_bits=(b,),
        row_bits=(row_bits,),
        lfsr_width=64,
        **ensemble,
    )
    return network, network.layers[0]


def test_draw_order() -> None:
    """Filling by filling; in one, all R in row order, then all C in column order."""
    _, layer = plane(b=2, row_bits=3)
    assert layer.noise
    rows, columns = planes(layer, 64, 4)
    assert rows.shape == (4, 6, 3)
    assert columns.shape == (4, 5, 2)
    flat = [np.concatenate([r.ravel(), c.ravel()]) for r, c in zip(rows, columns, strict=True)]
    assert np.array_equal(np.concatenate(flat), bits(layer.noise.seed, 64, 4 * (18 + 10)))


@given(data=st.data(), b=st.integers(1, 8), rows=st.integers(1, 5), columns=st.integers(1, 20))
def test_words_bit_by_bit(data: st.DataObject, b: int, rows: int, columns: int) -> None:
    row_bits = data.draw(st.integers(b, 64))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    R = rng.integers(0, 2, (rows, row_bits), np.uint8)
    C = rng.integers(0, 2, (columns, b), np.uint8)
    u = words(R, C)
    assert u.shape == (rows, columns)
    for i in range(rows):
        for j in range(columns):
            bit = [R[i, (j * b + t) % row_bits] ^ C[j, t] for t in range(b)]
            assert u[i, j] == sum(int(value) << t for t, value in enumerate(bit))


@pytest.mark.parametrize("b", range(1, 9))
def test_stratum_reverses_bits(b: int) -> None:
    for member in range(2 ** (b + 1)):
        reversed_text = f"{member % 2**b:0{b}b}"[::-1]
        assert stratum(member, b) == int(reversed_text, 2)


def test_filling_of_three_parts() -> None:
    """R, then C, then D; a map is dropped where its word, bit 0 first, is below the code."""
    network = spatial_network(seed=3)
    for b in (0, 2):
        layer = replace(
            network.layers[1],
            probability_bits=b,
            noise=NoisePlane(row_bits=b and 3, seed=77),
        )
        assert layer.noise
        assert layer.dropout
        weighing = (36 * 3 + 6 * 2) if b else 0
        assert layer.noise_bits == weighing + 4 * 2
        stream = bits(77, 32, 5 * layer.noise_bits).reshape(5, -1)
        rows, columns = planes(layer, 32, 5)
        assert np.array_equal(stream[:, : rows[0].size], rows.reshape(5, -1))
        assert np.array_equal(stream[:, rows[0].size : weighing], columns.reshape(5, -1))
        word = stream[:, weighing::2] + 2 * stream[:, weighing + 1 :: 2]
        assert np.array_equal(drops(layer, 32, 5), word < layer.dropout.code)


@pytest.mark.parametrize(("code", "size"), [(1, 1), (1, 3), (7, 3), (100, 8)])
@pytest.mark.parametrize("seed", SEEDS)
def test_maps_are_dropped_as_often_as_the_code_says(code: int, size: int, seed: int) -> None:
    """Each within five standard deviations; any two of them independently, within six."""
    count, p = 20_000, code / 2**size
    layer = replace(
        spatial_network(seed=seed).layers[1], dropout=SpatialDropout(code=code, bits=size)
    )
    dropped = drops(layer, 32, count)
    assert dropped.shape == (count, 4)
    assert (np.abs(dropped.mean(axis=0) - p) <= 5 * np.sqrt(p * (1 - p) / count)).all()
    # The last are the first map of the next member.
    dropped = np.concatenate([dropped, np.roll(dropped[:, :1], 1, 0)], axis=1).astype(float)
    both = (dropped.T @ dropped / count)[~np.eye(5, dtype=bool)]
    assert (np.abs(both - p * p) <= 6 * np.sqrt(p * p * (1 - p * p) / count)).all()


def test_dropped_maps_are_rows_of_zeros() -> None:
    """Nine rows at a time in a convolution, one in a dense layer; other weights stay +-1."""
    network = spatial_network(seed=5)
    for index in (1, 2):
        layer = network.layers[index]
        dropped = drops(layer, network.lfsr_width, 50)
        for gone, w in zip(dropped, member_weights(network, index, 1, 50), strict=True):
            expected = weights(layer.codes, 0) * ~np.repeat(gone, layer.taps)[:, None]
            assert np.array_equal(w, expected)


def test_weight_is_plus_one_below_the_code() -> None:
    u = np.arange(4, dtype=np.uint8)[:, None]
    codes = np.arange(5)[None, :]
    assert weights(codes, u).tolist() == [
        [-1, +1, +1, +1, +1],
        [-1, -1, +1, +1, +1],
        [-1, -1, -1, +1, +1],
        [-1, -1, -1, -1, +1],
    ]


@pytest.mark.parametrize("b", [1, 2, 4, 8])
def test_stratified_group_is_exact(b: int) -> None:
    """In a group of 2**b stratified members a weight is +1 exactly `code` times."""
    network, layer = plane(b, row_bits=b + 1, stratified=True)
    groups = 3
    stream = member_weights(network, 0, 1, groups * 2**b)
    for _ in range(groups):
        total = sum(islice(stream, 2**b))
        assert np.array_equal(total, 2 * layer.codes - 2**b)


@pytest.mark.parametrize("b", [1, 2, 4, 8])
@pytest.mark.parametrize("seed", SEEDS)
def test_marginals_are_the_codes(b: int, seed: int) -> None:
    """Share of +1 over members: code / 2**b, within five standard deviations; 0 and 1 exactly."""
    count = 20_000
    network, layer = plane(b, row_bits=b, seed=seed)
    ones = (sum(member_weights(network, 0, 1, count)) + count) / 2
    p = layer.codes / 2**b
    assert (np.abs(ones - count * p) <= 5 * np.sqrt(count * p * (1 - p))).all()


@pytest.mark.parametrize(("b", "row_bits"), [(1, 1), (1, 4), (2, 2), (2, 5), (3, 4)])
@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_are_independent_over_members(b: int, row_bits: int, seed: int) -> None:
    """Any two words take each pair of values equally often, within six standard deviations."""
    count = 20_000
    _, layer = plane(b, row_bits, seed=seed)
    R, C = planes(layer, 64, count)
    u = np.stack([words(r, c) for r, c in zip(R, C, strict=True)]).reshape(count, -1)
    # The last ones are the first word of the next member and of the one after.
    u = np.concatenate([u, np.roll(u[:, :1], 1, 0), np.roll(u[:, :1], 2, 0)], axis=1)
    size = 2**b
    expected = count / size**2
    for first in range(u.shape[1]):
        for second in range(first):
            pairs = np.bincount(u[:, first] * size + u[:, second], minlength=size**2)
            assert np.abs(pairs - expected).max() < 6 * np.sqrt(expected), (first, second)


def forms(lfsr_width: int, members: int) -> np.ndarray:
    """Return the words of a 784 x 256 layer, b = K = 1, as sums of seed bits: (members, words).

    Bit i of a form says whether seed bit i is in that sum over GF(2). Over all seeds, two words are
    independent if their forms differ, and the same word always if they do not.
    """
    size = 784 + 256
    drawn = np.zeros(members * size, np.uint64)
    for i in range(lfsr_width):
        drawn |= bits(1 << i, lfsr_width, len(drawn)).astype(np.uint64) << np.uint64(i)
    drawn = drawn.reshape(members, size)
    return (drawn[:, :784, None] ^ drawn[:, None, 784:]).reshape(members, -1)


@pytest.mark.parametrize(("lfsr_width", "tied"), [(32, 355), (64, 0)])
def test_ties_between_words(lfsr_width: int, tied: int) -> None:
    """No two words of a member are tied; of ten members', as many as docs/numbers.md says.

    One member speaks for all: a step of the register is an invertible map of seed bits.
    """
    found = forms(lfsr_width, 10)
    assert found.shape == (10, 784 * 256)
    assert found.all()
    for members, expected in ((1, 0), (10, tied)):
        ordered = np.sort(found[:members], axis=None)
        assert (ordered[1:] == ordered[:-1]).sum() == expected
