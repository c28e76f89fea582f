"""Layers whose codes are streamed: blocks, data path and core against golden, codes with stalls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bbnn.description import Network
from drawing import MAX, SUM, Block, build, drop
from test_data_path import compare

OUTPUT = Block(columns=4, neuron="logits", lanes_in=3, lanes_out=2)


def dense_streams(**options: Any) -> Network:
    """Return dense layers: one behind pixels, one that all members' inputs pass, one for each."""
    blocks = (
        Block(columns=6, lanes_in=5, lanes_out=2, held=1),
        Block(columns=9, bits=2, row_bits=5, lanes_in=4, lanes_out=3, held=4),
        Block(columns=8, lanes_in=2, lanes_out=4, held=1),
        OUTPUT,
    )
    return build(21, blocks, **{"input_shape": (1, 13, 1), "members": 3, **options})


def held_streams(**options: Any) -> Network:
    """Return the first ensembling layer, and one behind it, passed by all members' inputs."""
    blocks = (
        Block(columns=6, bits=0, lanes_in=4, lanes_out=2, held=1),
        Block(columns=6, lanes_in=4, lanes_out=2, held=5),
        Block(columns=6, neuron="quantised", lanes_in=3, lanes_out=1, held=5, dropout=drop(1, 2)),
        Block(columns=6, neuron="quantised", bits=0, lanes_in=3, lanes_out=2, held=6),
        OUTPUT,
    )
    return build(22, blocks, **{"input_shape": (1, 10, 1), "members": 4, **options})


def conv_streams(**options: Any) -> Network:
    """Return convolutions: before members, in the first layer that has any, and behind it."""
    blocks = (
        Block(columns=4, kernel=2, bits=0, lanes_out=2, held=1),
        Block(columns=6, kernel=3, padding=1, lanes_in=2, lanes_out=2, held=1, pool=MAX),
        Block(columns=4, kernel=2, bits=2, row_bits=3, lanes_in=1, lanes_out=2, held=1),
        OUTPUT,
    )
    return build(23, blocks, **{"input_shape": (5, 5, 1), "members": 3, **options})


def level_streams(**options: Any) -> Network:
    """Return convolutions of levels, pooled by sums, with dropped maps, and a dense layer."""
    conv = Block(columns=4, neuron="quantised", kernel=3, padding=1, lanes_out=2, held=1)
    blocks = (
        replace(conv, pool=SUM),
        replace(conv, dropout=drop(1, 2), lanes_in=4),
        Block(columns=8, lanes_in=6, lanes_out=2, held=4),
        OUTPUT,
    )
    return build(24, blocks, **{"input_shape": (4, 4, 2), "members": 2, **options})


STREAMS = {
    "dense": dense_streams,
    "dense-stratified": lambda: dense_streams(stratified=True, members=4),
    "held": held_streams,
    "conv": conv_streams,
    "conv-never": lambda: conv_streams(reseed="never"),
    "levels": level_streams,
}


@pytest.mark.parametrize("stall", [0, 9], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", STREAMS)
def test_packets_equal_golden(case: str, stall: int) -> None:
    compare(STREAMS[case](), stall, wanted=True)
