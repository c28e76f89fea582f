"""Golden against a plain evaluation: one weight, one integer at a time, from docs/numbers.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bbnn.data import load as load_data
from bbnn.description import Layer, Drive, Folding, Logits, Network, Threshold
from bbnn.errors import InputError
from bbnn.lfsr import TAPS
from bbnn.model_file import load
from golden import metrics
from golden.network import logits, trace
from networks import random_images, random_network

SHIPPED = Path(__file__).parents[1] / "models" / "fashion-mlp.safetensors"


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
        """Let every layer's stream begin at its seed."""
        width = self.network.lfsr_width
        self.streams = [
            random_bits(layer.noise.seed, width) if layer.noise else None
            for layer in self.network.layers
        ]
        self.planes: list[Any] = [None] * len(self.streams)

    def logits(self, images: np.ndarray, members: int) -> list[list[list[int]]]:
        result = []
        for image in images:
            if self.network.ensemble.reseed == "image":
                self.restart()
            result.append([self.member(image, member) for member in range(members)])
        return result

    def member(self, image: np.ndarray, member: int) -> list[int]:
        vector = [int(pixel) for pixel in image.ravel()]
        for index, layer in enumerate(self.network.layers):
            vector = self.layer(index, layer, vector, member)
        return vector

    def layer(self, index: int, layer: Layer, vector: list[int], member: int) -> list[int]:
        b = layer.probability_bits
        stratified = self.network.ensemble.stratified
        stream = self.streams[index]
        K = layer.noise.row_bits if layer.noise else 0
        if stream and (not stratified or member % 2**b == 0):
            R = [[next(stream) for _ in range(K)] for _ in range(layer.rows)]
            C = [[next(stream) for _ in range(b)] for _ in range(layer.columns)]
            self.planes[index] = R, C
        out = []
        for j in range(layer.columns):
            y = 0
            for i in range(layer.rows):
                u = 0
                if stream:
                    R, C = self.planes[index]
                    for t in range(b):
                        bit = R[i][(j * b + t) % K] ^ C[j][t]
                        if stratified:
                            bit ^= member >> (b - 1 - t) & 1
                        u += bit << t
                y += vector[i] * (1 if u < layer.codes[i, j] else -1)
            if isinstance(layer.neuron, Threshold):
                out.append(1 if y >= layer.neuron.thresholds[j] else -1)
            else:
                out.append(int(layer.neuron.scale[j]) * y + int(layer.neuron.offset[j]))
        return out


def check(network: Network, images: np.ndarray, members: int) -> None:
    found = logits(network, images, members)
    assert found.dtype == np.int64
    assert found.tolist() == Plain(network).logits(images, members)


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
    plain = Plain(network)
    for image in range(3):
        if reseed == "image":
            plain.restart()
        for member in range(5):
            vector = images[image].ravel().tolist()
            outputs = trace(network, images, image, member, 5)
            for index, layer in enumerate(network.layers):
                vector = plain.layer(index, layer, vector, member)
                assert outputs[index].tolist() == vector
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


@pytest.mark.parametrize(("bits", "lfsr_width"), [((1, 1), 32), ((2, 8), 64)])
def test_distribution_of_logits(bits: tuple[int, int], lfsr_width: int) -> None:
    """Mean and deviation over members equal those of independent Bernoulli weights in float.

    Within five standard errors, 20,000 members each: sharing random bits costs neither.
    """
    network = random_network(9, sizes=(30, 20, 4), probability_bits=bits, lfsr_width=lfsr_width)
    image = random_images(network, 1)
    members = 20_000
    found = logits(network, image, members)[0] / 2.0**10
    rng = np.random.default_rng(4)
    hidden, output = network.layers[0].neuron, network.output
    assert isinstance(hidden, Threshold)
    p = [layer.codes / 2**layer.probability_bits for layer in network.layers]
    w = np.where(rng.random((members, 30, 20)) < p[0], 1.0, -1.0)
    x = np.where(image.ravel() @ w >= hidden.thresholds, 1.0, -1.0)
    w = np.where(rng.random((members, 20, 4)) < p[1], 1.0, -1.0)
    y = np.einsum("mi,mij->mj", x, w)
    expected = (y * output.scale + output.offset) / 2.0**10
    deviation = expected.std(axis=0)
    error = deviation * np.sqrt(2 / members)
    assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < 5 * error).all()
    # The fourth moment of these sums is near a normal one's, so a deviation's error is halved.
    assert (np.abs(found.std(axis=0) - deviation) < 5 * error).all()


def test_shipped_model_keeps_its_figures() -> None:
    """The 1,000 committed images against the figures of all 10,000 in the model file.

    Tolerances are three standard deviations of a mean over 1,000 images: accuracy .010, NLL .023.
    """
    network = load(SHIPPED)
    told = network.figures["test"]
    images, labels = load_data("fashion-mnist-1000")
    q = metrics.mean_softmax(logits(network, images, told["members"]), network.output.fraction_bits)
    assert abs(metrics.accuracy(q, labels) - told["accuracy"]) < 0.03
    assert abs(metrics.nll(q, labels) - told["nll"]) < 0.07
    assert metrics.reliability(q, labels).ece < told["ece"] + 0.03
    strange, _ = load_data("mnist-1000")
    outside = logits(network, strange, told["members"])
    odd = metrics.mean_softmax(outside, network.output.fraction_bits)
    auroc = metrics.auroc(metrics.entropy(q), metrics.entropy(odd))
    assert abs(auroc - told["entropy"]["auroc"]) < 0.03


def test_shipped_model_is_good_enough() -> None:
    """What the recipe promises of the whole test sets, T = 20."""
    told = load(SHIPPED).figures["test"]
    assert (told["members"], told["images"], told["ood_images"], told["ood"]) == (
        20,
        10_000,
        10_000,
        "mnist",
    )
    assert told["accuracy"] >= 0.880
    assert told["entropy"]["auroc"] >= 0.920


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
