"""Every command explains itself with an example and refuses bad input in one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from bbnn import cli
from bbnn.cli import COMMANDS, emit, group, main
from bbnn.errors import InputError
from bbnn.model_file import to_bytes
from networks import random_network

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `bbnn *arguments`: its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bbnn", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run


def leaves(name: str) -> list[tuple[list[str], click.Command]]:
    """Return the command `name`, or its subcommands if it is a group, each with its words."""
    context = click.Context(group)
    command = group.get_command(context, name)
    assert command is not None
    if not isinstance(command, click.Group):
        return [([name], command)]
    found = []
    for sub in command.list_commands(context):
        below = command.get_command(context, sub)
        assert below is not None
        found.append(([name, sub], below))
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str, run: Run) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert re.search(rf"Example: +bbnn {name}\b", out)
    for words, _ in leaves(name):
        code, out, err = run(*words, "--help")
        assert (code, err) == (0, "")
        assert re.search(rf"Example: +bbnn {' '.join(words)}\b", out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json(name: str) -> None:
    for words, command in leaves(name):
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, words


def test_help_lists_every_command(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert [name for name in COMMANDS if re.search(rf"^  {name} +\S", out, re.M)] == list(COMMANDS)


def test_help_is_quick() -> None:
    program = "import sys, bbnn.cli; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def model_of(command: click.Command) -> click.Parameter | None:
    """Return the argument or option of a command that is a model file."""
    return next((each for each in command.params if each.name == "model"), None)


def option_of(parameter: click.Parameter) -> list[str]:
    """Return words that fill a required parameter: "1" is a number, and a path."""
    return ["1"] if isinstance(parameter, click.Argument) else [parameter.opts[0], "1"]


@pytest.mark.parametrize("name", COMMANDS)
def test_bad_model_file_is_one_line(name: str, run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(to_bytes(random_network())[:-1])
    for words, command in leaves(name):
        model = model_of(command)
        if model is None:
            continue
        option = [] if isinstance(model, click.Argument) else [model.opts[0]]
        required = [each for each in command.params if each.required and each is not model]
        others = [word for each in required for word in option_of(each)]
        for path in (missing, cut):
            code, out, err = run(*words, *option, str(path), *others)
            assert (code, out) == (2, ""), (words, err)
            assert re.fullmatch(rf"bbnn: .*{re.escape(str(path))} must be .+, not .+\n", err), words


@pytest.mark.parametrize("name", ["info", "evaluate", "generate", "simulate", "synth", "demo"])
def test_command_takes_a_model(name: str) -> None:
    """The test above passes over commands that take none, so it must not pass over these."""
    for words, command in leaves(name):
        assert model_of(command) is not None, words


def test_unknown_command(run: Run) -> None:
    code, out, err = run("evaluat")
    assert (code, out) == (2, "")
    assert "No such command 'evaluat'" in err
    assert "Traceback" not in err


def raising(error: Exception) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("b must be 1, not 2"), "bbnn: b must be 1, not 2\n"),
        (
            PermissionError(13, "Permission denied", "/some/file"),
            "bbnn: /some/file must be usable, not refused: Permission denied\n",
        ),
    ],
)
def test_bad_input_is_one_line(
    error: Exception, line: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "group", raising(error))
    assert run() == (2, "", line)


@pytest.mark.parametrize("error", [RuntimeError("ours"), OSError(5, "no file")])
def test_our_own_faults_keep_their_traceback(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "group", raising(error))
    with pytest.raises(type(error)):
        main()


def test_emit_prints_strict_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"accuracy": 0.5, "members": [1, 2]})
    assert json.loads(capsys.readouterr().out) == {"accuracy": 0.5, "members": [1, 2]}
    with pytest.raises(ValueError, match="JSON"):
        emit({"accuracy": float("nan")})


def test_installed_command() -> None:
    bbnn = Path(sys.executable).parent / "bbnn"
    shown = subprocess.run([bbnn, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"bbnn, version \d+\.\d+\.\d+\n", shown.stdout)
