"""A model file comes back as it was written, and a bad one is refused by file and field."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from bbnn.description import Logits, Network, Threshold
from bbnn.errors import InputError
from bbnn.model_file import digest, load, save_network, to_bytes
from networks import random_network

NETWORK = replace(
    random_network(probability_bits=(0, 8, 1), row_bits=(0, 64, 1), stratified=True),
    figures={"test": {"accuracy": 0.5}, "recipe": "none"},
)


def arrays(network: Network) -> list[np.ndarray[Any, Any]]:
    """Return every array of a network, in one fixed order."""
    result = []
    for layer in network.layers:
        neuron = layer.neuron
        if isinstance(neuron, Threshold):
            own = [neuron.thresholds]
        else:
            assert isinstance(neuron, Logits)
            own = [neuron.scale, neuron.offset]
        result += [layer.codes, *own]
    return result


def assert_same(one: Network, other: Network) -> None:
    """Compare every field of two networks."""
    for left, right in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(left, right)
    for left, right in zip(one.layers, other.layers, strict=True):
        for name in ("name", "drive", "probability_bits", "folding", "noise"):
            assert getattr(left, name) == getattr(right, name)
    last, also = one.output, other.output
    assert last.fraction_bits == also.fraction_bits
    for name in ("name", "input_shape", "ensemble", "classes", "lfsr_width", "figures"):
        assert getattr(one, name) == getattr(other, name)


def test_zeros_that_are_skipped(tmp_path: Path) -> None:
    """The field is there where it says something: files that lack it are what they were."""
    path = tmp_path / "network.safetensors"
    first, *others = NETWORK.layers
    folding = replace(first.folding, skip_zeros=True)
    skips = replace(NETWORK, layers=(replace(first, folding=folding), *others))
    save_network(skips, path)
    assert load(path).layers[0].folding == folding
    assert to_bytes(load(path)) == path.read_bytes()
    assert b"skip_zeros" not in to_bytes(NETWORK)
    assert digest(skips) != digest(NETWORK)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(NETWORK, path)
    loaded = load(path)
    assert_same(loaded, NETWORK)
    assert to_bytes(loaded) == path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@given(data=st.data())
def test_round_trip_of_any_network(data: st.DataObject, tmp_path_factory: Any) -> None:
    sizes = tuple(data.draw(st.lists(st.integers(1, 20), min_size=2, max_size=4), "sizes"))
    bits = tuple(data.draw(st.integers(0, 8), "b") for _ in sizes[1:])
    network = random_network(
        data.draw(st.integers(0, 2**32 - 1), "seed"),
        sizes=sizes,
        probability_bits=bits,
        row_bits=tuple(data.draw(st.integers(b, 64), "K") for b in bits),
        lfsr_width=data.draw(st.sampled_from([32, 64]), "LFSR"),
        members=data.draw(st.integers(1, 100), "T"),
        stratified=data.draw(st.booleans(), "stratified"),
        reseed=data.draw(st.sampled_from(["image", "never"]), "reseed"),
    )
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    save_network(network, path)
    loaded = load(path)
    assert_same(loaded, network)
    assert digest(loaded) == digest(network)
    assert to_bytes(loaded) == path.read_bytes()


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """Write NETWORK to `path` with its JSON header and its tensors changed in place."""
    save_network(NETWORK, path)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["bbnn"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, tensors)
    save_file(tensors, path, metadata={"bbnn": json.dumps(header)})
    return path


def refused(message: str) -> Any:
    """Return a context in which an `InputError` must be raised whose whole text fits `message`."""
    return pytest.raises(InputError, match=f"^{message}$")


FIELDS: list[tuple[list[str | int], Any, str]] = [
    (
        ["format_version"],
        3,
        "format_version must be 2, the one that this program reads, not 3",
    ),
    (["format_version"], 0, "format_version must be a version, not 0"),
    (["format_version"], True, "format_version must be a version, not True"),
    (["format_version"], "1", "format_version must be a version, not '1'"),
    (["name"], "a-b", "name must be a Verilog identifier, not 'a-b'"),
    (["input_shape"], 12, "input_shape must be a list, not 12"),
    (["input_shape"], [1, 12], "input_shape must be three sizes, not (1, 12)"),
    (["lfsr_width"], 16, "lfsr_width must be one of [32, 64], not 16"),
    (["classes"], "abcd", "classes must be a list, not 'abcd'"),
    (["classes"], ["a"], "classes must be 4 names, not ('a',)"),
    (["figures"], [], "figures must be a JSON object, not []"),
    (["ensemble"], 3, "ensemble must be a JSON object, not 3"),
    (["ensemble", "members"], 0, "ensemble.members must be an integer in 1..65535, not 0"),
    (
        ["ensemble", "extra"],
        0,
        "ensemble must be members and stratified and reseed and resample, not [...]",
    ),
    (["layers"], {}, "layers must be a list, not {}"),
    (["layers", 0], None, "layers[0].name must be a field of a JSON object, not None"),
    (["layers", 1, "window"], 3, "layers[1].window must be a JSON object, not 3"),
    (["layers", 1, "pool"], {"size": 2}, "layers[1].pool must be kind and size, not ['size']"),
    (["layers", 1, "neuron", "bits"], 2, "layers[1].neuron must be without ['bits'], not [...]"),
    (["steps"], 2, "steps must be an integer in 1..1, not 2"),
    (["layers", 1, "neuron"], [], "layers[1].kind must be a field of a JSON object, not []"),
    (
        ["layers", 1, "neuron", "kind"],
        "relu",
        (
            'layers[1].neuron.kind must be "threshold" or "quantised" or "spiking" or "logits", '
            "not 'relu'"
        ),
    ),
    (
        ["layers", 0, "neuron", "kind"],
        "logits",
        "layers[0].scale must be a tensor of the layer, not 'missing'",
    ),
    (
        ["layers", 2, "neuron", "fraction_bits"],
        25,
        "layers[2].fraction_bits must be an integer in 0..24, not 25",
    ),
    (
        ["layers", 1, "drive"],
        {"kind": "sign"},
        "layers[1].drive must be kind and bits, not ['kind']",
    ),
    (
        ["layers", 1, "folding"],
        {"lanes_in": 1, "lanes": 1},
        "layers[1].folding must be lanes_in and lanes_out, not ['lanes', 'lanes_in']",
    ),
    (
        ["layers", 1, "noise"],
        {"row_bits": 64},
        "layers[1].noise must be row_bits and seed, not ['row_bits']",
    ),
    (
        ["layers", 1, "noise"],
        None,
        "layers[1].noise must be set where probability_bits > 0 or dropout is, not None",
    ),
    (
        ["layers", 1, "noise", "seed"],
        0,
        "layers[1].noise.seed must be an integer in 1..4294967295, not 0",
    ),
    (
        ["layers", 1, "noise", "row_bits"],
        7,
        "layers[1].noise.row_bits must be an integer in 8..64, not 7",
    ),
    (
        ["layers", 1, "probability_bits"],
        "8",
        "layers[1].probability_bits must be an integer in 0..8, not '8'",
    ),
]


@pytest.mark.parametrize(("place", "value", "message"), FIELDS)
def test_field_out_of_range(
    place: list[str | int], value: Any, message: str, tmp_path: Path
) -> None:
    def change(header: Any, tensors: dict[str, Any]) -> None:
        for step in place[:-1]:
            header = header[step]
        header[place[-1]] = value

    path = changed(tmp_path / "bad.safetensors", change)
    text = re.escape(message).replace(r"\[\.\.\.\]", r"\[.*\]")
    with refused(re.escape(f"{path}: ") + text):
        load(path)


def fields_of(record: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the place of every field of a JSON value, but of what is in the figures."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(record, dict) and place != ("figures",):
        items = list(record.items())
    elif isinstance(record, list) and record and isinstance(record[0], dict):
        items = list(enumerate(record))
    below = [found for name, value in items for found in fields_of(value, (*place, name))]
    return [*([place] if place and isinstance(place[-1], str) else []), *below]


def test_no_field_may_be_missing(tmp_path: Path) -> None:
    whole: dict[str, Any] = {}
    changed(tmp_path / "m.safetensors", lambda header, _: whole.update(copy.deepcopy(header)))
    places = fields_of(whole)
    assert len(places) == 11 + 4 + 3 * 9 + 3 * 5 + 1 + 2 * 2
    for place in places:

        def change(header: Any, _: Any, place: tuple[str | int, ...] = place) -> None:
            for step in place[:-1]:
                header = header[step]
            del header[place[-1]]

        path = changed(tmp_path / "m.safetensors", change)
        with refused(re.escape(f"{path}: ") + ".* not ('missing'|\\[.*\\]?)"):
            load(path)


TENSORS: list[tuple[str, Any, str]] = [
    (
        "layers.1.codes",
        None,
        "layers[1].codes must be a tensor of the layer, not 'missing'",
    ),
    ("spare", np.zeros(1), "tensors must be those of the layers alone, not ['spare']"),
    (
        "layers.0.codes",
        np.zeros((12, 9)),
        "layers[0].codes must be an integer array, not dtype('float64')",
    ),
    (
        "layers.0.codes",
        np.full((12, 9), 2, np.uint8),
        "layers[0].codes[0, 0] must be in 0..1, not 2",
    ),
    (
        "layers.1.codes",
        np.full((9, 7), 257, np.uint16),
        "layers[1].codes[0, 0] must be in 0..256, not 257",
    ),
    (
        "layers.0.codes",
        np.zeros((13, 9), np.uint8),
        "layers[0].rows must be 12, the pixels of input_shape, not 13",
    ),
    (
        "layers.0.thresholds",
        np.full(9, 3062, np.int32),
        "layers[0].thresholds[0] must be in -3060..3061, not 3062",
    ),
    (
        "layers.2.scale",
        np.full(4, 65536, np.int32),
        "layers[2].scale[0] must be in 0..65535, not 65536",
    ),
]


@pytest.mark.parametrize(("name", "array", "message"), TENSORS)
def test_wrong_tensors(name: str, array: Any, message: str, tmp_path: Path) -> None:
    def change(_: Any, tensors: dict[str, Any]) -> None:
        tensors.pop(name, None)
        if array is not None:
            tensors[name] = array

    path = changed(tmp_path / "bad.safetensors", change)
    with refused(re.escape(f"{path}: {message}")):
        load(path)


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with refused(re.escape(f"model file {path} must be an existing file, not missing")):
        load(path)
    with refused(re.escape(f"model file {tmp_path} must be an existing file, not missing")):
        load(tmp_path)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file(part: float, tmp_path: Path) -> None:
    whole = to_bytes(NETWORK)
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: int(part * len(whole))])
    with refused(re.escape(f"{path} must be a whole safetensors file, not this: ") + "[^\n]+"):
        load(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_text("PK not a model at all")
    with refused(re.escape(f"{path} must be a whole safetensors file, not this: ") + "[^\n]+"):
        load(path)
    save_file({"weight": np.zeros(3)}, path)
    with refused(re.escape(f'{path}: metadata must be a "bbnn" entry, not {{}}')):
        load(path)


@pytest.mark.parametrize("text", ["", "{", '{"figures": NaN}', '{"figures": 1e999}', "[" * 100_000])
def test_metadata_that_is_no_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({"weight": np.zeros(3)}, path, metadata={"bbnn": text})
    with refused(re.escape(f"{path}: metadata must be JSON, not ") + "['\"][^\n]+"):
        load(path)


def test_metadata_that_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({"weight": np.zeros(3)}, path, metadata={"bbnn": "5"})
    with refused(re.escape(f"{path}: format_version must be a field of a JSON object, not 5")):
        load(path)


def test_a_type_that_numpy_lacks(tmp_path: Path) -> None:
    path = tmp_path / "float8.safetensors"
    header = b'{"weight": {"dtype": "F8_E4M3", "shape": [0], "data_offsets": [0, 0]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with refused(re.escape(f"{path} must be a whole safetensors file, not this: ") + ".*float8.*"):
        load(path)


def test_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(NETWORK, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_network(replace(NETWORK, figures={"accuracy": float("nan")}), path)
    assert path.read_bytes() == before
    folder = tmp_path / "folder"
    folder.mkdir()
    with refused(re.escape(f"{folder} must be writable, not refused: Is a directory")):
        save_network(NETWORK, folder)
    nowhere = tmp_path / "none" / "network.safetensors"
    with refused(re.escape(f"{nowhere} must be writable, not refused: No such file or directory")):
        save_network(NETWORK, nowhere)
    assert {file.name for file in tmp_path.iterdir()} == {path.name, folder.name}


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in docs/model-file.md writes a file with the fields of the header shown there."""
    page = (Path(__file__).parents[1] / "docs" / "model-file.md").read_text()
    header, program = re.findall(r"```(?:json|python)\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    exec(compile(program, "model-file.md", "exec"), {})
    written = tmp_path / "build" / "example.safetensors"
    assert load(written).name == "example"
    with safe_open(written, framework="numpy") as file:
        found = json.loads(file.metadata()["bbnn"])
    shown = json.loads(header)
    assert shown.keys() == found.keys()
    assert shown["layers"][0].keys() == found["layers"][0].keys()
    assert shown["format_version"] == found["format_version"]
