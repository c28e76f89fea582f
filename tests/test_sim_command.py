"""`bbnn simulate` from the outside: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import hdl.generate
from bbnn.cli import group
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import save_network
from bbnn.schedule import member_cycles
from networks import random_images, random_network
from systems import conv_network
from test_sim_faults import altered, never_fires

MODEL = replace(
    random_network(3, sizes=(784, 6, 5, 10), lanes=((98, 3), (6, 5), (5, 5))),
    input_shape=(28, 28, 1),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(MODEL, path)
    return path


def simulate(model: Path, *options: str) -> Result:
    """Run the command under Icarus, with its files beside the model."""
    arguments = ["simulate", str(model), "--simulator", "icarus", "-o", str(model.parent / "out")]
    result: Result = CliRunner().invoke(group, [*arguments, *options])
    return result


@pytest.mark.icarus
def test_equal(model: Path) -> None:
    result = simulate(model, "--images", "3", "--members", "2", "--stalls", "10", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["equal"] is True
    assert (told["members_equal"], told["members_compared"]) == (6, 6)
    assert told["images_equal"] == 3
    assert told["difference"] is None
    assert told["cycles_per_member_predicted"] == member_cycles(MODEL, 2)
    assert told["cycles"] > 3 * 2 * told["cycles_per_member_predicted"]


@pytest.mark.icarus
def test_waves_are_recorded_on_request(model: Path) -> None:
    result = simulate(model, "--images", "1", "--members", "1", "--waves")
    assert result.exit_code == 0, result.output
    assert "members equal 1/1, packets equal 1/1" in result.stdout
    waves = model.parent / "out/simulation/run/part-0/dump.fst"
    assert str(waves) in result.stdout
    assert waves.stat().st_size > 10_000


@pytest.mark.icarus
def test_difference(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong design exits with 1 and names image, member, layer and neuron."""

    def wrong(network: Network, folder: Path, array: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        verilog = folder / "wrong.v"
        verilog.write_text(altered(MODEL, 1, neuron=never_fires(MODEL.layers[1], 3)))
        return verilog

    monkeypatch.setattr(hdl.generate, "generate", wrong)
    result = simulate(model, "--images", "3", "--members", "2")
    assert result.exit_code == 1, result.output
    assert re.search(r"members equal [0-5]/6, packets equal [0-3]/3", result.stdout)
    assert "layer hidden_1, neuron 3: expected 1, got -1" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--images", "1001"), r"--images must be an integer in 1\.\.1000, not 1001"),
        (("--images", "0"), r"--images must be an integer in 1\.\.1000, not 0"),
        (("--images", "11", "--waves"), r"--images with --waves must be .* 1\.\.10, not 11"),
        (("--members", "0"), r"members must be an integer in 1\.\.\d+, not 0"),
        (("--stalls", "91"), r"--stalls must be in 0\.\.90, not 91\.0"),
    ],
)
def test_bad_options(model: Path, options: tuple[str, ...], message: str) -> None:
    result = simulate(model, *options)
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=f"^{message}$"):
        raise result.exception


def test_images_that_do_not_fit(model: Path) -> None:
    save_network(random_network(), model)
    result = simulate(model, "--images", "1", "--dataset", "mnist-1000")
    assert isinstance(result.exception, InputError)
    wanted = "mnist-1000 must be images of shape (N, 1, 12, 1), which random_network takes"
    assert str(result.exception).startswith(wanted)


@pytest.mark.icarus
def test_images_of_a_file(model: Path, tmp_path: Path) -> None:
    """Of any shape that the network takes."""
    network = conv_network(input_shape=(5, 4, 3), members=1)
    save_network(network, model)
    path = tmp_path / "images.npy"
    np.save(path, random_images(network, 2))
    result = simulate(model, "--images", "2", "--dataset", str(path), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["dataset"], told["images_equal"]) == (str(path), 2)


def test_missing_simulator(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = simulate(model, "--images", "1")
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("iverilog must be installed for a second simulator")
