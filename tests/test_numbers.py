"""The worked example of docs/numbers.md: all its numbers, computed again from its first table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bbnn.description import (
    Drive,
    Ensemble,
    Folding,
    Layer,
    Logits,
    Network,
    NoisePlane,
    Pool,
    Threshold,
    Window,
)
from bbnn.lfsr import TAPS
from golden.network import crossbar, neuron, pixels
from golden.noise import member_weights, planes, weights, words

ROWS, COLUMNS, B, K = 5, 2, 2, 3
WHOLE = (Path(__file__).parents[1] / "docs" / "numbers.md").read_text()
TEXT, CONVOLUTION = WHOLE.split("## A worked example")[1].split("## A worked convolution")


def table(first_heading: str) -> list[list[str]]:
    """Return the cells below the heading line that begins with `first_heading`."""
    lines = re.search(rf"\| {first_heading}.*\n\|[-|]+\n((?:\|.*\n)+)", WHOLE)
    assert lines, first_heading
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1].splitlines()]


def integers(first_heading: str) -> np.ndarray:
    """Return a table as integers; a cell of several counts as several."""
    rows = [" ".join(cells).split() for cells in table(first_heading)]
    return np.array([[int(text) for text in cells] for cells in rows])


GIVEN = integers("row \\| pixel")
PIXELS, CODES = GIVEN[:, 1], GIVEN[:, 2:]
THRESHOLDS = integers("column \\| y")[:, 2]
(SEED,) = (int(seed, 16) for seed in re.findall(r"seed (0x[0-9a-f]+)", TEXT))


def network(stratified: bool) -> Network:
    """Return the example's layer, made a network that shows its sums as logits."""
    ones, zeros = np.ones(COLUMNS, np.int64), np.zeros(COLUMNS, np.int64)
    layer = Layer(
        name="example",
        drive=Drive(kind="unsigned", bits=8),
        codes=CODES,
        probability_bits=B,
        neuron=Logits(scale=ones, offset=zeros, fraction_bits=0),
        folding=Folding(lanes_in=1, lanes_out=1),
        noise=NoisePlane(row_bits=K, seed=SEED),
    )
    return Network(
        name="example",
        input_shape=(1, ROWS, 1),
        layers=(layer,),
        ensemble=Ensemble(members=4, stratified=stratified),
        classes=("a", "b"),
    )


def sums(stratified: bool) -> list[list[int]]:
    """Return y of the four members."""
    example = network(stratified)
    drives = pixels(example, PIXELS[None].astype(np.uint8))
    weights = member_weights(example, 0, 1, 4)
    return [crossbar(example.layers[0], drives, w)[0].astype(int).tolist() for w in weights]


def test_given() -> None:
    assert f"Five rows, two columns, b = {B}, K = {K}" in TEXT
    assert GIVEN.shape == (ROWS, 2 + COLUMNS)
    assert f"{ROWS} * {K} + {COLUMNS} * {B} = {network(False).layers[0].noise_bits} bits" in TEXT


def test_stream() -> None:
    """The bits by the recurrence alone, and the one that the text works out."""
    a = [SEED >> i & 1 for i in range(32)]
    while len(a) < 38:
        a.append(sum(a[-tap] for tap in TAPS[32]) % 2)
    printed = re.search(r"\n    ([01]{15} [01]{4} [01]{15} [01]{4})\n", TEXT)
    assert printed
    assert [int(bit) for bit in printed[1].replace(" ", "")] == a
    terms = [32 - tap for tap in TAPS[32]]
    left = " ^ ".join(f"a[{n}]" for n in terms)
    right = " ^ ".join(str(a[n]) for n in terms)
    assert f"`a[32] = {left} = {right} = {a[32]}`" in TEXT
    rows, columns = planes(network(False).layers[0], 32, 2)
    drawn = [[*rows[m].ravel(), *columns[m].ravel()] for m in range(2)]
    assert [*drawn[0], *drawn[1]] == a


def test_words_and_weights() -> None:
    R, C = (part[0] for part in planes(network(False).layers[0], 32, 1))
    u = words(R, C)
    w = np.where(u < CODES, 1, -1)
    expected = np.column_stack([np.arange(ROWS), R, u, w])
    assert np.array_equal(integers("row \\| R"), expected)
    assert np.array_equal(next(member_weights(network(False), 0, 1, 4)), w)
    assert f"C[0] = {C[0, 0]} {C[0, 1]}, C[1] = {C[1, 0]} {C[1, 1]}" in TEXT.replace("\n", " ")
    flat = " ".join(TEXT.split())
    bit = [R[0, t] ^ C[0, t] for t in range(B)]
    for t in range(B):
        assert f"`R[0][{t}] ^ C[0][{t}] = {R[0, t]} ^ {C[0, t]} = {bit[t]}`" in flat
    assert f"so u = {u[0, 0]}; and {u[0, 0]} < {CODES[0, 0]}, so w = {w[0, 0]:+}" in flat
    assert f"In row 4 u equals the code {CODES[4, 0]} and w is {w[4, 0]}" in flat
    assert u[4, 0] == CODES[4, 0]


def test_planes_and_sums() -> None:
    """Bit planes in order, and a sum that is the matrix product's."""
    w = next(member_weights(network(False), 0, 1, 4)).astype(int)
    acc = np.zeros(COLUMNS, int)
    expected = []
    for plane in range(7, -1, -1):
        drive = PIXELS >> plane & 1
        acc = 2 * acc + drive @ w
        expected.append([plane, *drive, *(drive @ w), *acc])
    assert integers("plane").tolist() == expected
    assert acc.tolist() == sums(False)[0]


def test_thresholds() -> None:
    y = np.array(sums(False)[:1], np.float32)
    layer = network(False).layers[0]
    hidden = Layer(
        **{name: getattr(layer, name) for name in layer.__dataclass_fields__ if name != "neuron"},
        neuron=Threshold(thresholds=THRESHOLDS),
    )
    expected = [range(COLUMNS), y[0].tolist(), THRESHOLDS, neuron(hidden, y.copy())[0].tolist()]
    assert np.array_equal(integers("column \\| y"), np.transpose(expected))


def test_members() -> None:
    anew, stratified = sums(False), sums(True)
    for member, cells in enumerate(table("member \\|")):
        added = int(f"{member:0{B}b}"[::-1], 2)
        told = [str(y) for y in anew[member]] if member < 2 else ["", ""]
        assert cells == [str(member), *told, str(added), *map(str, stratified[member])]
    flat = " ".join(TEXT.split())
    R, C = (part[0] for part in planes(network(False).layers[0], 32, 1))
    shared = [int(words(R, C)[1, 0]) ^ int(f"{member:0{B}b}"[::-1], 2) for member in range(4)]
    assert f"with code {CODES[1, 0]}, has the words {', '.join(map(str, shared))}" in flat
    assert sum(u < CODES[1, 0] for u in shared) == CODES[1, 0] == 2
    total = sum(y[0] for y in stratified)
    terms = " + ".join(f"{2 * c - 4} * {x}" for c, x in zip(CODES[:, 0], PIXELS, strict=True))
    assert f"together are {total}, " in flat
    assert terms.replace("+ -", "- ") in flat
    assert total == ((2 * CODES[:, 0] - 4) * PIXELS).sum()


def test_convolution() -> None:
    """Draws, weights, the drives of every position, sums, outputs and what pooling keeps."""
    flat = " ".join(CONVOLUTION.split())
    (seed,) = (int(seed, 16) for seed in re.findall(r"seed is (0x[0-9a-f]+)", flat))
    told = r"pixels are (\d+) and (\d+) in the first line, (\d+) and (\d+) in the second"
    given = [int(text) for text in re.findall(told, flat)[0]]
    thresholds = [int(text) for text in re.findall(r"thresholds are (-?\d+) and (\d+)", flat)[0]]
    rows = table("row \\| ky")
    assert [cells[:2] for cells in rows] == [
        [str(row), f"{row // 2}, {row % 2}"] for row in range(4)
    ]
    layer = Layer(
        name="example",
        drive=Drive(kind="unsigned", bits=8),
        codes=np.array([[int(text) for text in cells[2:4]] for cells in rows]),
        probability_bits=1,
        neuron=Threshold(thresholds=np.array(thresholds)),
        folding=Folding(lanes_in=4, lanes_out=1),
        noise=NoisePlane(row_bits=1, seed=seed),
        window=Window(height=2, width=2, channels=1, kernel=2, padding=1),
        pool=Pool(kind="max", size=2),
    )
    R, C = (part[0] for part in planes(layer, 32, 1))
    assert f"R = {' '.join(map(str, R.ravel()))}, C = {' '.join(map(str, C.ravel()))}." in flat
    w = weights(layer.codes, words(R, C))
    assert [[int(text) for text in cells[4:]] for cells in rows] == w.tolist()
    y = crossbar(layer, np.array([given]), w)
    fired = neuron(layer, y)
    positions = table("position \\|")
    assert len(positions) == 9
    for number, cells in enumerate(positions):
        oy, ox = divmod(number, 3)
        seen = [
            str(given[2 * line + pixel]) if line in (0, 1) and pixel in (0, 1) else "."
            for line in (oy - 1, oy)
            for pixel in (ox - 1, ox)
        ]
        drives = np.array([0 if text == "." else int(text) for text in seen])
        assert cells[:2] == [f"{oy}, {ox}", " ".join(seen)]
        assert [int(text) for text in cells[2:4]] == (drives @ w).tolist() == y[number].tolist()
        assert [int(text) for text in cells[4].split()] == fired[number].tolist()
    square = fired.reshape(3, 3, 2)[:2, :2].max(axis=(0, 1))
    assert square.tolist() == [-1, -1]
    assert "both columns answer -1" in flat


@pytest.mark.parametrize("width", TAPS)
def test_taps(width: int) -> None:
    taps = ", ".join(map(str, TAPS[width]))
    assert [str(width), taps] in table("bits \\|")
