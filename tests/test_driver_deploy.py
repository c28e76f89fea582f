"""`bbnn deploy` and `bbnn verify`: the folder for a board, and N/N against golden."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bbnn import data
from bbnn.cli import deploy, verify
from bbnn.correction import Correction, corrected, save_correction
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import digest, load, save_network
from boards.driver import verify as on_the_board
from boards.driver.pynq import Pynq
from boards.shell.simulator import build, connect
from golden.metrics import mean_softmax
from golden.network import logits
from networks import random_network
from test_driver import BUILDS, DRIVER, simulation
from test_driver_machines import FakePynq
from test_flash import bit_bytes

MODEL = replace(
    random_network(3, sizes=(784, 6, 10), probability_bits=(1, 1), lanes=((98, 6), (6, 5))),
    input_shape=(28, 28, 1),
)
SSH = """\
#!/bin/sh
echo "$1" > {folder}/host
tar -tzf - | sort > {folder}/sent
echo '{said}'
echo "{error}" >&2
exit {code}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(MODEL, path)
    return path


@pytest.fixture
def bit(tmp_path: Path) -> Path:
    path = tmp_path / "net.bit"
    path.write_bytes(bit_bytes("xc7z020clg400-1"))
    return path


def deployed(model: Path, bit: Path, *options: str) -> Result:
    folder = str(model.parent / "deploy")
    arguments = [str(model), "--bit", str(bit), "-o", folder, "--images", "5", *options]
    result: Result = CliRunner().invoke(deploy.command, arguments)
    return result


def verified(model: Path, *options: str) -> Result:
    arguments = [str(model), *options]
    result: Result = CliRunner().invoke(verify.command, arguments)
    return result


@pytest.fixture
def board(
    model: Path, bit: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, FakePynq]]:
    """Deploy, go to the folder, and let PYNQ lead to a simulation."""
    assert deployed(model, bit, "--members", "2").exit_code == 0
    folder = model.parent / "deploy"
    monkeypatch.chdir(folder)
    with closing(simulation(network=MODEL)) as backend:
        fake = FakePynq(backend)
        monkeypatch.setitem(sys.modules, "pynq", fake)
        monkeypatch.setattr(Pynq, "now", lambda self: backend.now())
        monkeypatch.setattr(Pynq, "wait", lambda self, seconds: backend.wait(seconds))
        yield folder, fake


@pytest.mark.icarus
def test_a_deploy_folder(board: tuple[Path, FakePynq], capsys: pytest.CaptureFixture[str]) -> None:
    """What it holds is the driver as it is here, and its own command finds all logits equal."""
    folder, fake = board
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    driver = {path.name for path in DRIVER.glob("*.py")} - {"simulation.py"}
    assert files == {
        *("net.bit", "accelerator.json", "images.npz", "README.md", "boards/__init__.py"),
        *("random_network.ipynb", "random_network.safetensors"),
        *(f"boards/driver/{name}" for name in driver),
    }
    for name in driver:
        assert (folder / "boards/driver" / name).read_bytes() == (DRIVER / name).read_bytes()
    assert not list(folder.parent.glob("*.part"))
    assert on_the_board.main([]) == 0
    assert (
        capsys.readouterr().out
        == "members equal 10/10, images equal 5/5, random words equal 128/128\n"
    )
    assert fake.done == ["bitstream net.bit"]


@pytest.mark.icarus
def test_a_correction_is_deployed(
    bit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The self-test is without it, what follows is with it: on the board, and in `bbnn verify`."""
    last = MODEL.layers[-1]
    loadable = replace(last, neuron=replace(MODEL.output, registers=True))
    network = replace(MODEL, layers=(*MODEL.layers[:-1], loadable))
    scale, offset = MODEL.output.scale // 2 + 1, -MODEL.output.offset
    correction = Correction(scale=tuple(scale.tolist()), offset=tuple(offset.tolist()))
    model, file = tmp_path / "model.safetensors", tmp_path / "correction.json"
    save_network(network, model)
    save_correction(network, correction, file)
    options = ("--members", "2", "--correction", str(file))
    assert deployed(model, bit, *options).exit_code == 0
    monkeypatch.chdir(tmp_path / "deploy")
    golden = logits(corrected(network, correction), data.load(data.SAMPLE)[0][:5], 2)
    with np.load("images.npz") as arrays:
        assert (arrays["logits"] == golden).all()
    assert (golden != logits(network, data.load(data.SAMPLE)[0][:5], 2)).any(axis=2).all()
    equal = "members equal 10/10, images equal 5/5, random words equal 128/128"
    with closing(simulation(network=network)) as backend:
        monkeypatch.setitem(sys.modules, "pynq", FakePynq(backend))
        monkeypatch.setattr(Pynq, "now", lambda self: backend.now())
        monkeypatch.setattr(Pynq, "wait", lambda self, seconds: backend.wait(seconds))
        assert on_the_board.main([]) == 0
    assert capsys.readouterr().out == f"{equal}\n"
    simulated = ("--simulate", "--simulator", "icarus", "-o", str(tmp_path), "--images", "5")
    assert equal in verified(model, *simulated, *options).stdout


def test_what_vivado_says_of_a_bitstream_goes_along(model: Path, bit: Path) -> None:
    bit.with_suffix(".hwh").write_text("where the IP lies")
    assert deployed(model, bit, "--members", "2").exit_code == 0
    assert (model.parent / "deploy/net.hwh").read_text() == "where the IP lies"


@pytest.mark.icarus
def test_the_notebook(board: tuple[Path, FakePynq], capsys: pytest.CaptureFixture[str]) -> None:
    """Its cells, one after another, find everything equal; the model is the one that went in."""
    folder, fake = board
    assert digest(load(folder / "random_network.safetensors")) == digest(MODEL)
    content = json.loads((folder / "random_network.ipynb").read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 4)
    names: dict[str, object] = {}
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    said = capsys.readouterr().out
    assert re.search(r"^accuracy: \d\.\d{3} of 5 images$", said, re.MULTILINE)
    assert "members equal 10/10, images equal 5/5, random words equal 128/128\n" in said
    assert len(re.findall(r"^\d class_\d \d\.\d\d \d\.\d\d$", said, re.MULTILINE)) == 5
    assert fake.done == ["bitstream net.bit"]


@pytest.mark.slow
def test_a_folder_for_a_board_without_a_processor(
    model: Path, bit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead of the notebook a script, which runs with a serial port."""
    result = deployed(model, bit, "--board", "ulx3s", "--members", "2")
    assert "at its cable, in the folder: python3 -m boards.driver.verify /dev/tty" in result.stdout
    folder = model.parent / "deploy"
    assert {path.name for path in folder.iterdir()} == {
        *("net.bit", "accelerator.json", "images.npz", "README.md", "run.py", "boards"),
        "random_network.safetensors",
    }
    assert "openFPGALoader -b ulx3s net.bit" in (folder / "README.md").read_text()
    told = json.loads((folder / "accelerator.json").read_text())
    assert (told["base"], told["baud"], list(told["registers"])) == (0, 1_000_000, ["core"])
    # The script, up to the port, which a simulation takes the place of.
    monkeypatch.chdir(folder)
    code = (folder / "run.py").read_text().replace("sys.argv[1]", "target")
    with closing(connect(build(MODEL, BUILDS, "verilator", "ecp5"), "ecp5")) as target:
        exec(code, {"target": target})
    assert "members equal 10/10, images equal 5/5" in capsys.readouterr().out


@pytest.mark.icarus
def test_a_wrong_answer_on_the_board(
    board: tuple[Path, FakePynq], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = board
    with np.load(folder / "images.npz") as arrays:
        content = dict(arrays)
    content["logits"][3, 1, 0] += 1
    np.savez(folder / "images.npz", **content)
    assert on_the_board.main(["net.bit", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["equal"], told["members_equal"], told["images_equal"]) == (False, 9, 4)
    assert told["first_wrong"] == [3, 1]
    content["logits"] = content["logits"][:0]
    np.savez(folder / "images.npz", **content)
    assert on_the_board.main([]) == 2
    assert "images to compare must be one at least, not 0" in capsys.readouterr().err


def test_errors_on_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert on_the_board.main([]) == 2
    assert capsys.readouterr().err == "verify: images.npz must be a file of images, not missing\n"
    np.savez("images.npz", images=0, labels=0, logits=np.zeros((1, 1, 1)))
    assert on_the_board.main([]) == 2
    told = "verify: the folder must be one with a single .bit file, not without\n"
    assert capsys.readouterr().err == told


def test_deploy_uses_what_is_known_of_the_bitstream(model: Path, bit: Path) -> None:
    about = {"bitstream": f"build/{bit.name}", "model_digest": digest(MODEL), "clock_mhz": 62.5}
    bit.with_name("bitstream.json").write_text(json.dumps(about))
    told = json.loads(deployed(model, bit, "--json").stdout)
    assert told["clock_mhz"] == 62.5
    described = json.loads((model.parent / "deploy/accelerator.json").read_text())
    assert described["clock_mhz"] == 62.5
    assert described["model_digest"] == digest(MODEL)
    assert np.array(described["self_test"]["logits"]).shape == (2, 3, 10)


def test_what_deploy_refuses(model: Path, bit: Path) -> None:
    about = {"bitstream": bit.name, "model_digest": "12345678", "clock_mhz": 1}
    path = bit.with_name("bitstream.json")
    path.write_text(json.dumps(about))
    result = deployed(model, bit)
    expected = f"{bit}: build must be {digest(MODEL)[:8]}, that of random_network, not '12345678'"
    assert str(result.exception) == expected
    path.unlink()
    result = deployed(model, bit.with_name("other.bit"))
    assert "other.bit must be a bitstream, not 'missing'" in str(result.exception)
    folder = model.parent / "deploy"
    assert not folder.exists()
    folder.mkdir()
    (folder / "mine").touch()
    result = deployed(model, bit)
    assert isinstance(result.exception, InputError)
    assert "must be a new folder, not 'one with files'" in str(result.exception)
    assert [each.name for each in folder.iterdir()] == ["mine"]
    assert not list(model.parent.glob("*.part"))


@pytest.mark.icarus
def test_verify_in_simulation(model: Path, tmp_path: Path) -> None:
    """N/N, and the same accuracy as golden's."""
    options = ("--simulate", "--simulator", "icarus", "-o", str(tmp_path), "--images", "3")
    result = verified(model, *options, "--members", "2", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["members_equal"], told["members_compared"]) == (6, 6)
    images, labels = data.load(data.SAMPLE)
    q = mean_softmax(logits(MODEL, images[:3], 2), MODEL.output.fraction_bits)
    assert told["accuracy"] == (q.argmax(1) == labels[:3]).mean()
    assert told["images_a_second"] > 0


@pytest.mark.icarus
def test_verify_tells_a_difference(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(network: Network, images: np.ndarray, members: int) -> np.ndarray:
        result = logits(network, images, members)
        result[2, 1, 0] -= 1
        return result

    monkeypatch.setattr("golden.network.logits", wrong)
    options = ("--simulate", "--simulator", "icarus", "-o", str(tmp_path), "--images", "3")
    result = verified(model, *options)
    assert result.exit_code == 1
    told = (
        "members equal 8/9, images equal 2/3, random words equal 128/128; "
        "first wrong: image 2, member 1 on icarus"
    )
    assert told in result.stdout


def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: str, code: int) -> None:
    """Put a program `ssh` on PATH that notes what it gets, and answers so."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text(SSH.format(folder=folder, said=said, error=error, code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


ON_BOARD = ("--board", "pynq-z2", "--images", "3", "--host", "root@pynq")


@pytest.mark.parametrize("equal", [True, False])
def test_verify_on_a_board(
    model: Path, bit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, equal: bool
) -> None:
    """The deploy folder goes there, and its answer comes back."""
    answer = {
        **{"equal": equal, "members_equal": 9 if equal else 8, "members_compared": 9},
        **{"images_equal": 3 if equal else 2, "images": 3, "accuracy": 1.0},
        "random_words_equal": 192,
        **{"first_wrong": None if equal else [2, 0], "images_a_second": 1000.0},
    }
    ssh(tmp_path, monkeypatch, json.dumps(answer), "", 0 if equal else 1)
    result = verified(model, *ON_BOARD, "--bit", str(bit))
    assert result.exit_code == (0 if equal else 1), result.output
    told = "9/9, images equal 3/3" if equal else "8/9, images equal 2/3"
    assert f"members equal {told}, random words equal 192/192" in result.stdout
    assert equal or "; first wrong: image 2," in result.stdout
    assert "on pynq-z2" in result.stdout
    assert (tmp_path / "bin/host").read_text() == "root@pynq\n"
    sent = (tmp_path / "bin/sent").read_text().split()
    assert {"./net.bit", "./accelerator.json", "./boards/driver/verify.py"} <= set(sent)


@pytest.mark.parametrize(
    ("said", "error", "code", "told"),
    [
        ("", "ssh: connect to host pynq: timed out", 255, "must verify, not stop with 255: ssh: c"),
        ("", "verify: FCLK0 must be", 2, "must verify, not stop with 2: verify: FCLK0 must be"),
        ("hello", "no JSON", 0, "must answer with JSON, not with: no JSON"),
    ],
)
def test_what_a_board_may_say(
    model: Path,
    bit: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    error: str,
    code: int,
    told: str,
) -> None:
    ssh(tmp_path, monkeypatch, said, error, code)
    result = verified(model, *ON_BOARD, "--bit", str(bit))
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(f"root@pynq {told}")


def test_what_verify_refuses(model: Path, bit: Path) -> None:
    refusals = {
        (): "verify must be given --simulate or --board, not 'neither'",
        ("--simulate", "--board", "nano"): "board must be one of pynq-z2,",
        ("--board", "ulx3s"): "--port must be given for ULX3S 85F, not None",
        ("--simulate", "--images", "0"): "--images must be an integer in 1..",
        ("--board", "nano"): "board must be one of pynq-z2,",
        ("--board", "pynq-z2"): "--host must be given with --board, USER@HOST, not None",
        ("--board", "pynq-z2", "--host", "a@b"): "--bit must be a bitstream for the board, not N",
        (
            "--board",
            "zybo-z7-10",
            "--host",
            "a@b",
            "--bit",
            str(bit),
        ): f"{bit}: part must be xc7z",
        ("--board", "pynq-z2", "--host", "-o", "--bit", str(bit)): "--host must be USER@HOST, not",
    }
    for options, told in refusals.items():
        result = verified(model, *options)
        assert isinstance(result.exception, InputError), options
        assert str(result.exception).startswith(told)
