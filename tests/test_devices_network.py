"""Chips as networks: effective codes, reads, compensation and logit correction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import Logits
from bbnn.errors import InputError
from golden.devices.cases import IDEAL, pcm_cases
from golden.devices.chip import Chip
from golden.devices.correction import corrected, rescaled
from golden.devices.mapping import Cells
from golden.devices.network import Moment, Reads, effective, probabilities
from golden.devices.study import Sets, Study
from golden.network import logits
from golden.noise import member_weights
from golden.variants import reseeded, widened
from networks import random_images, random_network
from systems import CASES, Network, conv_network, mixed_network

YEAR = 365 * 86400.0
PERFECT = Cells(programming_scale=0, drift_scale=0, residual=0)


def moment(cells: Cells = PERFECT, time: float = 0, compensated: bool = False) -> Moment:
    return Moment(cells=cells, chip=3, time=time, compensated=compensated)


def codes(network: Network) -> list[list[list[int]]]:
    return [layer.codes.tolist() for layer in network.layers]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_perfect_chip_has_the_trained_codes(bits: int) -> None:
    """Exactly: in the layer's own bits and in eight; one of those is a plain binary layer."""
    network = random_network(probability_bits=(bits, 0, bits))
    assert codes(effective(network, moment(), bits)) == codes(network)
    assert codes(effective(network, moment())) == codes(widened(network))
    wide = widened(network).layers
    for before, after in zip(network.layers, wide, strict=True):
        scale = 2 ** (after.probability_bits - before.probability_bits)
        assert np.array_equal(after.codes, before.codes * scale)
    assert [layer.probability_bits for layer in wide] == [8, 0, 8]


def test_a_real_chip_has_others() -> None:
    """Each source of error changes codes by itself; another chip has others again."""
    network = random_network(probability_bits=(8, 8, 8))
    trained = codes(network)
    for changed in (
        moment(replace(PERFECT, residual=0.1)),
        moment(replace(PERFECT, programming="open_loop", programming_scale=0.1)),
        moment(replace(PERFECT, programming="open_loop", comparator_offset=0.2)),
        moment(replace(PERFECT, drift_scale=1), 3600),
        moment(replace(PERFECT, read_noise="off")),
        moment(PERFECT, YEAR),
    ):
        assert codes(effective(network, changed)) != trained
        assert codes(effective(network, changed)) == codes(effective(network, changed))
    other = replace(moment(Cells()), chip=4)
    assert codes(effective(network, other)) != codes(effective(network, moment(Cells())))


def test_compensation_brings_codes_back() -> None:
    """A year moves the codes of a chip; compensation undoes most, for every kind of noise cells."""
    network = random_network(sizes=(200, 60, 4), probability_bits=(8, 8))

    def shrunk(compensated: bool, **options: Any) -> float:
        """Return the slope of the probabilities seen over those wanted."""
        p = probabilities(network, moment(Cells(**options), YEAR, compensated))[0]
        return float(np.polyfit(network.layers[0].codes.ravel() / 256, p.ravel(), 1)[0])

    for shared in ("synapse", "row", "column"):
        plain, back = (shrunk(each, noise_cells=shared) for each in (False, True))
        assert plain < back < 1.05
        assert 1 - back < 0.7 * (1 - plain)


@pytest.mark.parametrize("name", sorted(CASES))
def test_any_network_with_sampled_weights_runs(name: str) -> None:
    """Convolutions, spikes, dropout, stratified members too; layers of b = 0 stay as they are."""
    network = CASES[name]()
    images = random_images(network, 2)
    changed = effective(network, moment(Cells(), 3600))
    for before, after in zip(network.layers, changed.layers, strict=True):
        assert (before is after) == (before.probability_bits == 0)
    assert logits(changed, images).shape == logits(network, images).shape
    read = logits(network, images, source=Reads(moment(Cells(), 3600)))
    if not any(layer.probability_bits for layer in network.layers):
        assert np.array_equal(read, logits(network, images))


def test_bits_below_the_networks() -> None:
    network = random_network(probability_bits=(4, 4, 4))
    with pytest.raises(InputError, match=r"bits must be an integer in 4\.\.8, not 2"):
        effective(network, moment(), 2)


def test_reads_have_the_effective_probabilities() -> None:
    """Means of 3,000 reads within five standard errors, whichever synapses share noise cells."""
    network = random_network(sizes=(6, 5, 3), probability_bits=(4, 1))
    for shared in ("synapse", "row", "column"):
        now = moment(Cells(noise_cells=shared), 3600)
        for index, expected in probabilities(network, now).items():
            reads = Reads(now).weights(network, index, 1, 3000)
            mean = (1 + np.mean(list(reads), axis=0)) / 2
            error = np.sqrt(np.maximum(expected * (1 - expected), 1e-3) / 3000)
            assert (np.abs(mean - expected) < 5 * error).all()


def test_reads_are_what_the_comparators_see() -> None:
    network = random_network(sizes=(6, 5, 3), probability_bits=(4, 1))
    source = Reads(moment(Cells(), 3600))
    seen = source.differences(network.layers[0], 0)
    for weights in source.weights(network, 0, 2, 2):
        assert np.array_equal(weights, np.where(next(seen) >= 0, 1, -1))


def test_reads_of_certain_weights_are_the_network() -> None:
    """At full conductance nothing flips: logits are those of the network, member for member."""
    network = conv_network()
    for layer in network.layers:
        layer.codes[...] = layer.codes // 2 * 2
    images = random_images(network, 3)
    source = Reads(moment(Cells(limit=1000), YEAR))
    assert np.array_equal(logits(network, images, source=source), logits(network, images))


def test_dropped_maps_are_dropped_from_reads() -> None:
    network = mixed_network()
    index = 1
    assert network.layers[index].dropout
    own = list(member_weights(network, index, 1, 8))
    read = list(Reads(moment()).weights(network, index, 1, 8))
    assert np.array_equal(np.array(read) == 0, np.array(own) == 0)
    assert {0.0, 1.0, -1.0} == set(np.unique(read))


def test_offset_and_affine_correction() -> None:
    """A chip that scales and shifts its logits is brought back, within the rounding of integers."""
    rng = np.random.default_rng(8)
    y = rng.integers(-300, 300, (64, 10, 3))
    output = Logits(scale=np.array([900, 400, 77]), offset=np.array([5, -600, 0]), fraction_bits=10)
    gain, shift = np.array([0.5, 1.2, 1.0]), np.array([40, 0, -20])
    meant = output.scale * y + output.offset
    seen = output.scale * np.rint(gain * y + shift).astype(np.int64) + output.offset
    affine = corrected(output, seen, meant, "affine")
    assert np.abs(affine.scale / output.scale * gain - 1).max() < 0.01
    assert np.abs(rescaled(seen, output, affine) - meant).mean() < 0.01 * np.abs(meant).mean()
    offset = corrected(output, seen, meant, "offset")
    assert np.array_equal(offset.scale, output.scale)
    error = (rescaled(seen, output, offset) - meant).mean(axis=(0, 1))
    assert np.abs(error).max() <= 0.5
    assert corrected(output, seen, meant, "off") is output


def test_corrected_constants_fit_their_registers() -> None:
    output = Logits(scale=np.array([60_000]), offset=np.zeros(1, int), fraction_bits=10)
    y = np.arange(-5, 6).reshape(-1, 1, 1)
    with pytest.raises(InputError, match="a corrected scale must be at most 65535, not 120000"):
        corrected(output, 60_000 * y, 120_000 * y, "affine")
    far = np.full((4, 1, 1), 2**32)
    with pytest.raises(InputError, match="a corrected offset must be below 2147483648"):
        corrected(output, np.zeros((4, 1, 1), int), far, "offset")
    with pytest.raises(InputError, match="correction must be one of off, offset, affine, not 'b'"):
        corrected(output, far, far, "b")  # type: ignore[arg-type]
    # Neither a logit that never moves nor a scale of 0 says anything about a scale.
    still = np.full((4, 2, 1), 7)
    assert corrected(output, still, still, "affine").scale.tolist() == [60_000]
    dead = replace(output, scale=np.zeros(1, int))
    assert (
        rescaled(still * 0, dead, replace(dead, offset=np.array([9]))).tolist() == [[[9]] * 2] * 4
    )


def test_rescaled_logits_are_those_of_the_edited_network() -> None:
    """The correction is two constants a class of a `Network`, and hardware needs no more."""
    network = random_network()
    images = random_images(network, 5)
    output = network.output
    other = replace(output, scale=output.scale + 7, offset=output.offset - 300)
    edited = replace(
        network, layers=(*network.layers[:-1], replace(network.layers[-1], neuron=other))
    )
    assert np.array_equal(rescaled(logits(network, images), output, other), logits(edited, images))


def test_study() -> None:
    """The ideal network needs no correction; a chip's is fitted to the calibration images alone."""
    network = random_network(sizes=(20, 16, 4), probability_bits=(2, 2))
    images = random_images(network, 60)
    labels = np.arange(40) % 4
    sets = Sets(images=images[:40], labels=labels, ood=images[:20], calibration=images[40:])
    meant, (ideal, first, second) = pcm_cases(network, Cells(), {"1y": YEAR}, (False, True))
    assert (ideal.name, first.name, second.compensated) == (IDEAL, "1y", True)
    done: list[int] = []
    study = Study(meant, sets, 6, done.append)
    chip, source = first.on_chip(2)
    off, affine = study.measure(chip, source, ["off", "affine"])
    assert sum(done) == 6 * (len(sets) + 20)
    raw, ood = (logits(chip, each, 6) for each in (sets.images, sets.ood))
    assert off["accuracy"] == (raw_accuracy(raw, labels))
    assert off["ood"]["ood"]["images"] == 20
    assert len(ood) == 20
    other = corrected(
        network.output, logits(chip, images[40:], 6), logits(meant, images[40:], 6), "affine"
    )
    assert affine["accuracy"] == raw_accuracy(rescaled(raw, network.output, other), labels)


def raw_accuracy(raw: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    """Return the accuracy of the mean softmax of logits with 10 fraction bits."""
    q = np.exp((raw - raw.max(axis=-1, keepdims=True)) / 2**10)
    q = (q / q.sum(axis=-1, keepdims=True)).mean(axis=1)
    return float((q.argmax(axis=1) == labels).mean())


def test_each_chip_has_noise_of_its_own() -> None:
    network = mixed_network()
    one, same, other = (reseeded(network, chip) for chip in (1, 1, 2))

    def seeds(each: Network) -> list[int]:
        assert each.scale_dropout
        own = [layer.noise.seed for layer in each.layers if layer.noise]
        return [*own, each.scale_dropout.seed]

    assert seeds(one) == seeds(same)
    assert not set(seeds(one)) & {*seeds(other), *seeds(network)}


def test_chips_are_numbers() -> None:
    with pytest.raises(InputError, match=r"chip must be an integer in 0\.\.4294967295, not -1"):
        Chip(random_network().layers[0], 0, Cells(), -1)
    with pytest.raises(InputError, match="layers must be with sampled weights for PCM"):
        pcm_cases(CASES["spatial"](), Cells(), {"1h": 3600}, (False,))
