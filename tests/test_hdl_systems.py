"""The blocks that only some systems need: the scale unit, the rate encoder, dropped features."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import Ensemble, ScaleDropout
from bbnn.errors import InputError
from blocks import Recording, packed, play
from golden.lfsr import bits
from hdl.data_path import DataPath
from hdl.generate import verilog_text
from hdl.rate import RateEncoder
from hdl.scale_unit import ScaleUnit
from hdl.verilog import verilog_of
from simtools import reader, writer
from systems import CASES


def scale_unit(
    layers: int, code: int, word: int, *, members: int = 3, reseed: Any = "image", images: int = 30
) -> Recording:
    """Take every layer's decisions at a pace of its own, for several images."""
    dut = ScaleUnit(
        ScaleDropout(code=code, bits=word, seed=0x9E3779B9),
        Ensemble(members=members, reseed=reseed),
        lfsr_width=32,
        layers=layers,
    )
    draws = images if reseed == "never" else 1
    stream = bits(0x9E3779B9, 32, draws * members * layers * word)
    words = stream.reshape(-1, layers, word).astype(int) @ (1 << np.arange(word))
    dropped = np.tile((words < code).astype(int), (images // draws, 1))

    async def configure(ctx: Any) -> None:
        ctx.set(dut.seed, 0x9E3779B9)
        ctx.set(dut.members, members)

    # The first layer reads faster than the last.
    readers = [reader(dut.o[n], dropped[:, n].tolist(), 2 + n) for n in range(layers)]
    return play(dut, configure, *readers, watched=[*dut.o])


SCALE_UNITS: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "one-layer": ((1, 1, 1), {}),
    "three-layers": ((3, 3, 3), {}),
    "runs-on": ((2, 100, 8), {"reseed": "never"}),
    "one-member": ((2, 1, 2), {"members": 1, "images": 80}),
}


@pytest.mark.parametrize("case", SCALE_UNITS)
def test_scale_unit(case: str) -> None:
    shape, options = SCALE_UNITS[case]
    scale_unit(*shape, **options)


@pytest.mark.parametrize("case", ["scale", "dense-scaled", "mixed", "conv"])
def test_there_is_one_scale_unit(case: str) -> None:
    """All layers share it: the generated text has one, and no random source but it and planes."""
    network = CASES[case]()
    text = verilog_of(DataPath(network), "data_path")
    scaled = network.scale_dropout is not None
    instances = re.findall(r"^  \\data_path\.\S+ +(\S+) +\($", text, re.MULTILINE)
    assert instances.count("\\scale$") == scaled
    assert len(re.findall(r"^module \S+scale\$ ", text, re.MULTILINE)) == scaled
    planes = sum(layer.noise is not None for layer in network.layers)
    assert instances.count("lfsr") == planes + scaled


def test_a_split_convolution_is_refused() -> None:
    network = CASES["conv"]()
    layer = network.layers[1]
    assert layer.window is not None
    split = replace(layer, window=replace(layer.window, mapping="split"))
    network = replace(network, layers=(network.layers[0], split, network.layers[2]))
    wanted = r'^layers\[1\]\.window\.mapping \(conv_1\) must be "tall" in hardware, not \'split\'$'
    with pytest.raises(InputError, match=wanted):
        verilog_text(network)


def rate_encoder(steps: int, together: int = 2, stall: int = 3) -> Recording:
    """Send images of every grey value, again in every step of some members."""
    dut = RateEncoder(together=together, words=256 // together, steps=steps)
    greys = np.random.default_rng(41).permutation(256)
    words, spikes = [], []
    for step in [*range(steps)] * 2:
        told = [((s * greys + 128) // 256) for s in (step, step + 1)]
        words += [packed(part, 8) for part in greys.reshape(-1, together)]
        spikes += [packed(part, 1) for part in (told[1] - told[0]).reshape(-1, together)]
    return play(
        dut,
        writer(dut.i, words, stall),
        reader(dut.o, spikes, stall),
        must_stall=stall > 0,
    )


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_rate_encoder(steps: int) -> None:
    rate_encoder(steps)
