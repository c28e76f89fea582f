"""Layers that sample some rows: what is refused, sums, draws, files, and what `split` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Folding, Network, SpatialDropout, Window, deterministic
from bbnn.errors import InputError
from bbnn.folding import fold, layer_cost
from bbnn.model_file import digest, load, save_network
from bbnn.schedule import code_memories, image_cycles
from bbnn.sparsity import fully_stochastic, operations, sampled_weights, split
from blocks import dense
from golden.network import logits
from golden.noise import member_weights, planes, weights, words
from networks import random_images, random_network
from systems import CASES, conv_network, fixed, split_network, unsplit

SPLITS = [name for name in CASES if name.startswith("split")]
LAYER = dense(11, 7, 3, 3, b=2, k=3, sampled=(1, 4, 7, 8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampled": np.ones(11, int)}, "sampled must be set for some rows but not all, not '11 r"),
        ({"sampled": np.zeros(11, int)}, "sampled must be set for some rows but not all, not '0 r"),
        ({"sampled": np.ones(10, int)}, "sampled must be of shape (11,), not (10,)"),
        ({"sampled": np.arange(11)}, "sampled[2] must be in 0..1, not 2"),
        ({"codes": np.ones((11, 7), int)}, "codes must be 0 or 4 in the rows that are not sampled"),
        ({"dropout": SpatialDropout(code=1, bits=1)}, "sampled must be the first maps of a conv"),
        ({"sampled": None, "folding": Folding(lanes_in=3, lanes_out=3, reuse=True)},
         "folding.reuse (layer) must be false where all rows are sampled alike, not True"),
        ({"folding": Folding(lanes_in=3, lanes_out=3, reuse="yes")},  # type: ignore[arg-type]
         "folding.reuse (layer) must be true or false, not 'yes'"),
    ],
)  # fmt: skip
def test_rejects(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        replace(LAYER, **changes)
    assert str(error.value).startswith(message)


def test_rejects_maps_and_networks() -> None:
    window = Window(height=4, width=4, channels=3, kernel=2)
    plain = dense(12, 4, 4, 2, sampled=range(4), window=window)
    assert (plain.sampled_groups, plain.row_groups, plain.sorts) == (1, 3, False)
    for rows, message in (((4, 5, 6, 7), "the first maps"), ((0, 1), "the same for all rows")):
        with pytest.raises(InputError, match=f"^sampled must be {message}"):
            dense(12, 4, 4, 2, sampled=rows, window=window)
    everywhere = "folding.reuse .layer. must be false where row groups of lanes_in rows all hold"
    with pytest.raises(InputError, match=everywhere):
        dense(5, 4, 5, 2, sampled=(0, 1, 2), reuse=True)
    network = split_network()
    last = network.layers[2]
    changed = replace(last, folding=replace(last.folding, reuse=True))
    with pytest.raises(InputError, match=r"layers\[2\]\.folding\.reuse \(dense_2\) must be"):
        replace(network, layers=(*network.layers[:2], changed, network.layers[3]))


def test_row_groups() -> None:
    """Sorted, the two kinds share no group; in their own order certain rows fill the last one."""
    assert LAYER.sorts
    assert (LAYER.sampled_rows, LAYER.sampled_groups, LAYER.row_groups) == (4, 2, 5)
    assert LAYER.row_order.tolist() == [1, 4, 7, 8, -1, -1, 0, 2, 3, 5, 6, 9, 10, -1, -1]
    first = dense(11, 7, 3, 3, b=2, sampled=range(4))
    assert (first.sorts, first.sampled_groups, first.row_groups) == (False, 2, 4)
    assert first.row_order.tolist() == [*range(11), -1]
    assert LAYER.weight_bits == 11 * 7 + 4 * 7 * 2
    assert LAYER.noise_bits == 4 * 3 + 7 * 2
    # A bit for each code, two more for those of two row groups of three column groups, and a word.
    assert code_memories(LAYER) == [(9, 5 * 3), (18, 2 * 3 + 1)]
    assert layer_cost(LAYER).lut < layer_cost(LAYER.all_sampled()).lut


@pytest.mark.parametrize("name", SPLITS)
def test_both_parts_make_the_sum(name: str) -> None:
    """For the same words the sums of sampled and of certain rows together are the unsplit ones."""
    compared = 0
    for layer in CASES[name]().layers:
        if layer.sampled is None:
            continue
        rng = np.random.default_rng(5)
        sampled = layer.sampled != 0
        row_noise, column_noise = (noise[0] for noise in planes(layer.all_sampled(), 32, 1))
        drives = rng.integers(-layer.drive.maximum, layer.drive.maximum + 1, (20, layer.rows))
        whole = drives @ weights(layer.codes, words(row_noise, column_noise))
        certain = np.where(layer.codes[~sampled] > 0, 1, -1)
        drawn = weights(layer.codes[sampled], words(row_noise[sampled], column_noise))
        assert np.array_equal(whole, drives[:, sampled] @ drawn + drives[:, ~sampled] @ certain)
        compared += 1
    assert compared


def test_only_sampled_rows_draw() -> None:
    network = CASES["split-pixels"]()
    layer = network.layers[1]
    assert layer.sampled is not None
    members = list(member_weights(network, 1, 1, 40))
    changes = np.any(np.array(members) != members[0], axis=(0, 2))
    assert changes.tolist() == (layer.sampled != 0).tolist()
    # Its words are those of a layer of these rows alone.
    alone = replace(
        layer.all_sampled(),
        codes=layer.codes[layer.sampled != 0],
        folding=Folding(lanes_in=1, lanes_out=1),
    )
    rows, columns = planes(alone, 32, 40)
    for number, matrix in enumerate(members):
        word = words(rows[number], columns[number])
        assert np.array_equal(matrix[layer.sampled != 0], weights(alone.codes, word))


@pytest.mark.parametrize("name", SPLITS)
def test_file(name: str, tmp_path: Path) -> None:
    network, path = CASES[name](), tmp_path / "model.safetensors"
    save_network(network, path)
    again = load(path)
    assert digest(again) == digest(network) != digest(unsplit(network))
    images = random_images(network, 2)
    assert np.array_equal(logits(again, images), logits(network, images))
    plain = deterministic(network)
    assert all(layer.sampled is None and not layer.folding.reuse for layer in plain.layers)


def sparse(network: Network, share: float, index: int) -> Network:
    """Return the network with few random rows in one layer, and none in the layers before it."""
    rng = np.random.default_rng(9)
    layers = [fixed(layer) for layer in network.layers[:index]]
    layer = network.layers[index]
    kept = np.repeat(rng.random(layer.maps) < share, layer.taps)
    layer = replace(layer, codes=np.where(kept[:, None], layer.codes, layer.codes // 2 * 2))
    return replace(network, layers=(*layers, layer, *network.layers[index + 1 :]))


def test_rows_come_first_where_the_layer_before_can_sort() -> None:
    network = sparse(random_network(sizes=(30, 24, 12, 4)), 0.3, 1)
    found = split(network)
    before, layer = found.layers[0], found.layers[1]
    assert layer.sampled is not None
    assert not layer.sorts
    assert layer.folding.reuse
    assert 0 <= layer.sampled_rows - sampled_weights(network.layers[1]) // 12 < 4
    assert sorted(before.codes.T.tolist()) == sorted(network.layers[0].codes.T.tolist())
    # Nothing random left: the same answers, though columns of one and rows of the other moved.
    images = random_images(network, 20)
    whole = [replace(each, layers=tuple(map(settled, each.layers))) for each in (network, found)]
    unsplit_logits, split_logits = (logits(each, images) for each in whole)
    assert np.array_equal(unsplit_logits, split_logits)
    assert image_cycles(found) <= image_cycles(network)
    assert operations(found) < operations(network)


def settled(layer: Any) -> Any:
    """Return the layer with every coin at +1."""
    layer = layer.all_sampled()
    codes = (layer.codes > 0).astype(np.uint8)
    return replace(layer, codes=codes, probability_bits=0, noise=None)


def test_a_dense_layer_behind_maps_sorts_and_a_convolution_has_its_maps_moved() -> None:
    network = sparse(conv_network(), 0.3, 2)
    layer = split(network).layers[2]
    assert layer.sorts == (layer.sampled is not None)
    assert layer.sorts
    network = conv_network()
    codes = network.layers[1].codes.copy()
    codes[: 2 * 9] = codes[: 2 * 9] // 2 * 2
    conv = replace(network.layers[1], codes=codes)
    network = replace(network, layers=(network.layers[0], conv, network.layers[2]))
    layer = split(network).layers[1]
    assert layer.sampled is not None
    assert (layer.sorts, layer.sampled_rows) == (False, 18)


def test_split_networks_can_be_folded() -> None:
    network = split_network()
    folded = fold(network, 3000, 10**6, 10**4).network
    assert [layer.sampled is None for layer in folded.layers] == [True, False, False, False]
    images = random_images(network, 2)
    assert np.array_equal(logits(folded, images), logits(network, images))


def test_yardstick() -> None:
    network = split_network()
    whole = fully_stochastic(network)
    for layer, old in zip(whole.layers, network.layers, strict=True):
        assert (layer.probability_bits, layer.sampled) == (8, None)
        assert layer.stochastic_weights == layer.codes.size == old.codes.size
        assert layer.folding == replace(old.folding, reuse=False)
    assert operations(whole) == 3 * sum(x.codes.size * x.positions for x in network.layers)
