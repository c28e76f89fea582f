"""Golden against a plain evaluation: one weight, one integer at a time, from docs/numbers.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bbnn.description import Drive, Folding, Layer, Logits, Network, Quantised, Spiking, Threshold
from bbnn.errors import InputError
from bbnn.lfsr import TAPS
from golden.network import logits, trace
from networks import random_images, random_network
from systems import CASES


def random_bits(seed: int, width: int) -> Iterator[int]:
    """Yield the stream of `bbnn.lfsr`, bit by bit."""
    state = [seed >> i & 1 for i in range(width)]
    while True:
        yield state[0]
        state = [*state[1:], sum(state[-tap] for tap in TAPS[width]) % 2]


class Plain:
    """The whole model in loops; nothing here comes from golden or is done for many at once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.restart()

    def restart(self) -> None:
        """Let every stream begin at its seed."""
        width, unit = self.network.lfsr_width, self.network.scale_dropout
        self.streams = [
            random_bits(layer.noise.seed, width) if layer.noise else None
            for layer in self.network.layers
        ]
        self.unit = random_bits(unit.seed, width) if unit else None
        self.planes: list[Any] = [None] * len(self.streams)

    def run(self, images: np.ndarray, members: int) -> list[list[list[list[int]]]]:
        """Return for every image and member what each layer puts out, as `golden.trace` does."""
        result = []
        for image in images:
            if self.network.ensemble.reseed == "image":
                self.restart()
            unread = 2 ** (8 - self.network.pixel_bits)
            pixels = [int(pixel) // unread for pixel in image.ravel()]
            result.append([self.member(pixels, member) for member in range(members)])
        return result

    def member(self, pixels: list[int], member: int) -> list[list[int]]:
        network = self.network
        scales = [self.scale(layer) for layer in network.layers]
        self.membranes: dict[tuple[int, int, int], int] = {}
        self.totals = [0] * network.layers[-1].columns
        outputs: list[list[int]] = [[] for _ in network.layers]
        for step in range(network.steps):
            vector = pixels
            if network.encoding == "rate":
                vector = [((step + 1) * p + 128) // 256 - (step * p + 128) // 256 for p in pixels]
            found: dict[str, list[int]] = {}
            for index, layer in enumerate(network.layers):
                self.fill(index, member, step)
                vector = self.layer(index, vector, member, scales[index])
                if layer.adds is not None:
                    vector = [a + b for a, b in zip(vector, found[layer.adds], strict=True)]
                found[layer.name] = vector
                if layer is network.layers[-1]:
                    outputs[index] = vector
                else:
                    outputs[index] += vector
        return outputs

    def scale(self, layer: Layer) -> bool:
        """Draw whether this member reads the layer's dropped bank."""
        unit = self.network.scale_dropout
        if not isinstance(layer.neuron, Threshold) or layer.neuron.dropped is None:
            return False
        assert unit
        assert self.unit
        return sum(next(self.unit) << t for t in range(unit.bits)) < unit.code

    def fill(self, index: int, member: int, step: int) -> None:
        """Fill the noise plane anew if it is time to: R, C and D."""
        layer, stream = self.network.layers[index], self.streams[index]
        ensemble, b = self.network.ensemble, layer.probability_bits
        if stream is None or (step > 0 and ensemble.resample == "member"):
            return
        if ensemble.stratified and member % 2**b > 0:
            return
        assert layer.noise
        R = {
            i: [next(stream) for _ in range(layer.noise.row_bits)]
            for i in range(layer.rows)
            if layer.sampled is None or layer.sampled[i]
        }
        C = [[next(stream) for _ in range(b)] for _ in range(layer.columns)]
        D = []
        if layer.dropout:
            bits = layer.dropout.bits
            D = [
                sum(next(stream) << t for t in range(bits)) < layer.dropout.code
                for _ in range(layer.maps)
            ]
        self.planes[index] = R, C, D

    def weight(self, index: int, i: int, j: int, member: int) -> int:
        """Return the weight in row i, column j, 0 where its map is dropped."""
        layer, u = self.network.layers[index], 0
        if self.planes[index]:
            R, C, D = self.planes[index]
            b = layer.probability_bits
            if D and D[i // layer.taps]:
                return 0
            # Rows that are not sampled have no words, and need none.
            for t in range(b if i in R else 0):
                assert layer.noise
                bit = R[i][(j * b + t) % layer.noise.row_bits] ^ C[j][t]
                if self.network.ensemble.stratified:
                    bit ^= member >> (b - 1 - t) & 1
                u += bit << t
        return 1 if u < layer.codes[i, j] else -1

    def layer(self, index: int, vector: list[int], member: int, dropped: bool) -> list[int]:
        """Return what the layer puts out in one step."""
        layer = self.network.layers[index]
        seen = [
            [self.weight(index, i, j, member) for j in range(layer.columns)]
            for i in range(layer.rows)
        ]
        height, width, channels = layer.sum_shape
        grid = [
            [
                [
                    self.neuron(
                        index,
                        (y * width + x, j),
                        sum(d * w[j] for d, w in zip(drives, seen, strict=True)),
                        dropped,
                    )
                    for j in range(channels)
                ]
                for x, drives in enumerate(line)
            ]
            for y, line in enumerate(self.positions(layer, vector))
        ]
        if layer.pool:
            size, join = layer.pool.size, max if layer.pool.kind == "max" else sum
            grid = [
                [
                    [
                        join(
                            grid[y * size + dy][x * size + dx][j]
                            for dy in range(size)
                            for dx in range(size)
                        )
                        for j in range(channels)
                    ]
                    for x in range(width // size)
                ]
                for y in range(height // size)
            ]
        return [value for line in grid for pixel in line for value in pixel]

    def positions(self, layer: Layer, vector: list[int]) -> list[list[list[int]]]:
        """Return the drives of the rows at every position of every line."""
        window = layer.window
        if window is None:
            return [[vector]]
        height, width, channels = window.shape
        kernel, stride, padding = window.kernel, window.stride, window.padding

        def drive(y: int, x: int, c: int) -> int:
            inside = 0 <= y < height and 0 <= x < width
            return vector[(y * width + x) * channels + c] if inside else 0

        return [
            [
                [
                    drive(oy * stride + ky - padding, ox * stride + kx - padding, c)
                    for c in range(channels)
                    for ky in range(kernel)
                    for kx in range(kernel)
                ]
                for ox in range((width + 2 * padding - kernel) // stride + 1)
            ]
            for oy in range((height + 2 * padding - kernel) // stride + 1)
        ]

    def neuron(self, index: int, place: tuple[int, int], y: int, dropped: bool) -> int:
        """Return the answer of the neuron of a (position, column) in one step."""
        n, j = self.network.layers[index].neuron, place[1]
        if isinstance(n, Threshold):
            bank = n.dropped if dropped else n.thresholds
            assert bank is not None
            return 1 if y >= bank[j] else -1
        if isinstance(n, Quantised):
            level = (int(n.scale[j]) * y + int(n.offset[j])) // 2**n.shift
            return min(max(level, 0), 2**n.bits - 1)
        if isinstance(n, Spiking):
            v = self.membranes.get((index, *place), int(n.start[j]))
            v += y * 2**n.fraction_bits + int(n.bias[j])
            spike = v >= n.thresholds[j]
            self.membranes[index, *place] = v - int(n.thresholds[j]) * spike
            return int(spike)
        self.totals[j] += y
        return int(n.scale[j]) * self.totals[j] + int(n.offset[j])


def check(network: Network, images: np.ndarray, members: int) -> None:
    found = logits(network, images, members)
    assert found.dtype == np.int64
    expected = Plain(network).run(images, members)
    assert found.tolist() == [[member[-1] for member in image] for image in expected]


@pytest.mark.parametrize("name", CASES)
def test_every_layer_of_every_system(name: str) -> None:
    network = CASES[name]()
    images = random_images(network, 2)
    members = network.ensemble.members
    found = logits(network, images, members)
    expected = Plain(network).run(images, members)
    for image in range(len(images)):
        for member in range(members):
            layers = trace(network, images, image, member, members)
            assert [layer.tolist() for layer in layers] == expected[image][member]
            assert found[image, member].tolist() == expected[image][member][-1]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Network, int, int]:
    """Draw a network of one to three layers, a number of images and of members."""
    depth = draw(st.integers(1, 3))
    bits = draw(st.tuples(*[st.sampled_from([0, 1, 2, 4, 8])] * depth))
    network = random_network(
        draw(st.integers(0, 1000)),
        sizes=draw(st.tuples(*[st.integers(1, 12)] * (depth + 1))),
        probability_bits=bits,
        row_bits=tuple(draw(st.integers(b, 20)) for b in bits),
        lfsr_width=draw(st.sampled_from([32, 64])),
        stratified=draw(st.booleans()),
        reseed=draw(st.sampled_from(["image", "never"])),
    )
    return network, draw(st.integers(1, 4)), draw(st.integers(1, 7))


def case(members: int, **options: Any) -> tuple[Network, int, int]:
    return random_network(7, **options), 3, members


@settings(max_examples=60)
@given(case=cases())
@example(case=case(3, probability_bits=(1, 1, 1)))
@example(case=case(3, probability_bits=(8, 4, 2), row_bits=(8, 4, 2), lfsr_width=64))
@example(case=case(3, probability_bits=(2, 2, 2), row_bits=(64, 3, 7)))
@example(case=case(7, probability_bits=(1, 2, 4), stratified=True))
@example(case=case(5, probability_bits=(1, 2, 4), stratified=True, reseed="never"))
@example(case=case(3, probability_bits=(1, 8, 1), reseed="never", lfsr_width=64))
@example(case=case(3, probability_bits=(0, 2, 1)))
@example(case=case(3, probability_bits=(0, 0, 1), reseed="never"))
@example(case=case(3, probability_bits=(1, 0, 2), reseed="never"))
@example(case=case(2, probability_bits=(0, 0, 0)))
def test_equal_to_plain_integers(case: tuple[Network, int, int]) -> None:
    network, count, members = case
    check(network, random_images(network, count), members)


@pytest.mark.parametrize("reseed", ["image", "never"])
def test_many_images_and_members(reseed: str) -> None:
    """Beyond one run of random bits, with a period of 4 words in a row."""
    network = random_network(
        3,
        sizes=(40, 6, 3),
        probability_bits=(1, 2),
        row_bits=(64, 8),
        reseed=reseed,
        stratified=True,
    )
    assert network.layers[0].noise_bits * 9 * 3 > 1 << 15
    check(network, random_images(network, 3), 18)


def test_blocks_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(5, probability_bits=(0, 1, 1))
    images = random_images(network, 25)
    whole = logits(network, images, 3)
    monkeypatch.setattr("golden.network.BLOCK", 10)
    assert np.array_equal(logits(network, images, 3), whole)


@pytest.mark.parametrize("reseed", ["image", "never"])
def test_trace_ends_in_the_logits(reseed: str) -> None:
    """Every layer of every (image, member); hidden ones are those of the plain evaluation."""
    network = random_network(11, probability_bits=(0, 2, 1), reseed=reseed, stratified=True)
    images = random_images(network, 3)
    whole = logits(network, images, 5)
    expected = Plain(network).run(images, 5)
    for image in range(3):
        for member in range(5):
            outputs = trace(network, images, image, member, 5)
            assert [output.tolist() for output in outputs] == expected[image][member]
            assert outputs[-1].tolist() == whole[image, member].tolist()


def test_sums_beyond_float32() -> None:
    """66,000 rows reach 16,830,000: odd sums above 2**24, and thresholds equal to them."""
    rows = 66_000
    rng = np.random.default_rng(1)
    codes = (rng.random((rows, 4)) < [1, 0, 0.9999, 0.5]).astype(np.int64)
    images = np.full((2, rows), 255, np.uint8)
    images[:, 0] = 254
    images[1, 1] = 254
    sums = images.astype(np.int64) @ (2 * codes - 1)
    assert sums[0, 0] > 2**24
    assert sums[0, 0] % 2 == 1
    network = random_network(sizes=(2, 4), probability_bits=(0,))
    plain = replace(network.output, scale=np.ones(4, np.int64), offset=np.zeros(4, np.int64))
    first = replace(network.layers[0], codes=codes, neuron=plain)
    network = replace(network, layers=(first,), input_shape=(2, rows // 2, 1))
    assert np.array_equal(logits(network, images, 1)[:, 0], sums)
    hidden = Layer(
        name="hidden",
        drive=Drive(kind="unsigned", bits=8),
        codes=codes,
        probability_bits=0,
        neuron=Threshold(thresholds=sums[0]),
        folding=Folding(lanes_in=1, lanes_out=1),
        noise=None,
    )
    last = replace(first, drive=Drive(kind="sign"), codes=np.eye(4, dtype=np.int64))
    outcome = logits(replace(network, layers=(hidden, last)), images, 1)[:, 0]
    fired = np.where(sums >= sums[0], 1, -1)
    assert (fired == -1).any()
    assert np.array_equal(outcome, fired @ (2 * np.eye(4, dtype=np.int64) - 1))


@pytest.mark.parametrize(
    ("images", "members", "message"),
    [
        (np.zeros((2, 12)), 3, "images must be of type uint8, not dtype('float64')"),
        (
            np.zeros((2, 13), np.uint8),
            3,
            "images must be of shape (N, 12) or (N, *(1, 12, 1)), not (13,)",
        ),
        (np.zeros((0, 12), np.uint8), 3, "images must be at least one, not 0"),
        (np.zeros((2, 12), np.uint8), 0, "members must be an integer in 1..65535, not 0"),
    ],
)
def test_bad_input(images: np.ndarray, members: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        logits(random_network(), images, members)
    assert str(caught.value) == message


def test_progress_counts_every_image_member() -> None:
    for reseed in ("image", "never"):
        network = random_network(reseed=reseed)
        done: list[int] = []
        logits(network, random_images(network, 6), 4, done.append)
        assert sum(done) == 24


def test_logits_need_no_named_member_count() -> None:
    network = random_network(members=3)
    images = random_images(network, 2)
    assert np.array_equal(logits(network, images), logits(network, images, 3))
    assert isinstance(network.output, Logits)
