"""The generated files: the same bytes every time, whole, without a trace of their origin."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bbnn.errors import InputError
from bbnn.interface_document import markdown
from bbnn.model_file import digest, load, save_network
from hdl.codes import code_words
from hdl.generate import generate
from networks import random_network
from systems import conv_network

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "fashion-mlp.safetensors"


def test_files_and_manifest(tmp_path: Path) -> None:
    network = random_network(3)
    path = generate(network, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert path == tmp_path / "random_network.v"
    assert manifest["model_digest"] == digest(network)
    assert len(manifest["sha256"]) == 5
    for name, sha in manifest["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sha
    assert [layer["seed"] for layer in manifest["layers"]] == [
        layer.noise and layer.noise.seed for layer in network.layers
    ]
    assert not list(tmp_path.rglob("*.part"))


def test_same_bytes_in_another_process(tmp_path: Path) -> None:
    network = random_network(3)
    save_network(network, tmp_path / "network.safetensors")
    first = generate(network, tmp_path / "first").read_bytes()
    command = [sys.executable, "-m", "bbnn", "generate", "network.safetensors", "-o", "second"]
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "second" / "random_network.v").read_bytes() == first
    assert str(ROOT).encode() not in first
    assert b".py" not in first


def test_nothing_is_written_again(tmp_path: Path) -> None:
    network = random_network(3)
    path = generate(network, tmp_path)
    before = path.stat().st_mtime_ns
    generate(network, tmp_path)
    assert path.stat().st_mtime_ns == before


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(
        InputError, match=r"taken/random_network\.v must be writable, not refused: "
    ):
        generate(random_network(3), tmp_path / "taken")


def test_memory_image_holds_the_codes() -> None:
    network = random_network(3, probability_bits=(2, 0, 1))
    layer = network.layers[0]
    lanes_in, lanes_out = layer.folding.lanes_in, layer.folding.lanes_out
    words = code_words(layer)
    read = np.zeros((layer.row_groups * lanes_in, layer.column_groups * lanes_out), int)
    for row in range(read.shape[0]):
        for column in range(read.shape[1]):
            word = words[column // lanes_out * layer.row_groups + row // lanes_in]
            for bit in range(3):
                place = (row % lanes_in * 3 + bit) * lanes_out + column % lanes_out
                read[row, column] |= (word >> place & 1) << bit
    assert (read[: layer.rows, : layer.columns] == layer.codes).all()
    assert read.sum() == layer.codes.sum(), "rows and columns beyond the layer have code 0"


def test_interface_page_says_which_bits_are_read() -> None:
    said = markdown(conv_network(pixel_bits=3))
    assert "beyond the last pixel, and the lower 5 bits of a pixel, do not matter" in said


def test_interface_page_in_the_documents_is_current() -> None:
    page = ROOT / "docs" / "interface.md"
    assert page.read_text() == markdown(load(MODEL)), "bbnn generate the shipped model anew"
