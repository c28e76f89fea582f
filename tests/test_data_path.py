"""The data path against golden, word by word of every packet, with and without stalls."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.description import Network
from bbnn.interface import pack_pixels
from blocks import Recording, packed, play
from hdl.codes import code_beats
from hdl.data_path import DataPath
from networks import packets, random_images, random_network
from simtools import Testbench, reader, writer
from systems import (
    CASES as SYSTEMS,
)
from systems import (
    SUM,
    conv_network,
    dense_network,
    quantised_network,
    residual_front,
    scale_network,
    skipping,
    spatial_network,
    spiking_network,
)

CASES: dict[str, dict[str, Any]] = {
    "coins": {},
    "plain-binary": {"probability_bits": (0, 0, 0), "members": 2},
    "deterministic-front": {"probability_bits": (0, 1, 0)},
    "eight-bits": {"probability_bits": (8, 3, 2)},
    "long-rows": {"row_bits": (3, 5, 4), "lanes": ((5, 4), (2, 3), (7, 2))},
    "rotated": {"probability_bits": (2, 3, 2), "row_bits": (4, 7, 3)},
    "stratified": {"probability_bits": (1, 2, 0), "stratified": True, "members": 5},
    "streams-run-on": {"reseed": "never"},
    "stratified-on": {"reseed": "never", "stratified": True, "members": 3},
    "one-member": {"members": 1},
    "wide-source": {"lfsr_width": 64},
    "unfolded": {"lanes": ((12, 9), (9, 7), (7, 4))},
    "serial": {"lanes": ((1, 1), (1, 1), (1, 1)), "sizes": (5, 4, 3, 2), "members": 2},
    "one-layer": {"sizes": (10, 3), "probability_bits": (1,)},
    "one-class": {"sizes": (6, 5, 1), "probability_bits": (1, 1)},
}


def compare(
    network: Network,
    stall: int,
    wanted: bool,
    count: int = 3,
    images: Any = None,
    cycles: int = 200_000,
) -> Recording:
    """Simulate some images, random ones if None, and compare every word of their packets."""
    members = network.ensemble.members
    images = random_images(network, count) if images is None else images
    dut = DataPath(network)
    beats = [
        {"data": word, "last": int(position == len(packet) - 1)}
        for packet in packets(network, images, members, wanted)
        for position, word in enumerate(packet)
    ]

    async def configure(ctx: Any) -> None:
        ctx.set(dut.members, members)
        ctx.set(dut.member_logits, wanted)
        ctx.set(dut.seeds, seed_word(network))

    return play(
        dut,
        configure,
        writer(dut.i, pack_pixels(images).ravel().tolist(), stall),
        *code_writers(dut, len(images), stall),
        reader(dut.o, beats, stall),
        watched=[dut.o],
        cycles=cycles,
    )


def code_writers(dut: DataPath, images: int, stall: int = 0) -> list[Testbench]:
    """Return what sends the codes of streamed layers, as often as so many images need them."""
    network = dut.network
    writers = []
    for index, layer in enumerate(network.layers):
        if layer.streamed:
            members = network.ensemble.members if index >= network.first_ensembling else 1
            beats = code_beats(layer) * (images * (members if layer.folding.held == 1 else 1))
            port = getattr(dut, f"codes_{layer.name}")
            writers.append(writer(port, beats, stall and stall + index))
    return writers


def seed_word(network: Network) -> int:
    """Return the seeds of the layers and of the scale unit side by side."""
    seeds = [layer.noise.seed for layer in network.layers if layer.noise]
    if network.scale_dropout:
        seeds.append(network.scale_dropout.seed)
    return packed(seeds, network.lfsr_width)


@pytest.mark.parametrize("stall", [0, 9], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", CASES)
def test_packets_equal_golden(case: str, stall: int) -> None:
    network = random_network(5, **CASES[case])
    compare(network, stall, wanted=stall == 0 or case == "coins")


SMALL = {
    "conv": partial(conv_network, input_shape=(4, 4, 1)),
    "conv-3-bits": partial(conv_network, input_shape=(4, 4, 1), pixel_bits=3),
    "spatial": partial(spatial_network, input_shape=(5, 5, 1), reseed="never"),
    "scale": partial(scale_network, input_shape=(6, 6, 1)),
    "quantised": partial(quantised_network, input_shape=(4, 4, 1), pool=SUM),
    "spiking": partial(
        spiking_network, input_shape=(4, 4, 1), encoding="rate", resample="step", steps=2
    ),
    "dense-spiking": partial(dense_network, "spiking", steps=3, encoding="rate"),
    "residual": partial(residual_front, input_shape=(3, 4, 1)),
    "skipping": lambda **options: skipping(
        quantised_network(input_shape=(4, 4, 1), pool=SUM, **options)
    ),
}


@pytest.mark.parametrize("case", SMALL)
def test_small_systems_equal_golden(case: str) -> None:
    compare(SMALL[case](members=2), stall=2, wanted=True)


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 9], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", SYSTEMS)
def test_systems_equal_golden(case: str, stall: int) -> None:
    compare(SYSTEMS[case](), stall, wanted=True)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Networks of two or three layers with any folding, codes, noise and ensemble."""
    sizes = tuple(draw(st.lists(st.integers(1, 14), min_size=3, max_size=4)))
    bits = tuple(draw(st.integers(0, 4)) for _ in sizes[1:])
    pairs = list(pairwise(sizes))
    return random_network(
        draw(st.integers(0, 2**16)),
        sizes=sizes,
        probability_bits=bits,
        row_bits=tuple(draw(st.integers(b, b + 6)) for b in bits),
        lanes=tuple((draw(st.integers(1, i)), draw(st.integers(1, o))) for i, o in pairs),
        members=draw(st.integers(1, 5)),
        stratified=draw(st.booleans()),
        reseed=draw(st.sampled_from(["image", "never"])),
    )


@settings(max_examples=15)
@given(network=networks())
def test_any_folding_gives_what_golden_says(network: Network) -> None:
    """Golden knows nothing of folding: equal to it with any lanes means equal with all lanes."""
    compare(network, stall=2, wanted=True)
