"""The open toolchain: installed whole or not at all, and run through its own loader."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from bbnn.cli import toolchain as cli
from bbnn.errors import InputError
from boards.toolchain import debian
from boards.toolchain.debian import mirror
from boards.toolchain.install import install
from boards.toolchain.programs import PACKAGES, RECORD, Toolchain
from opentools import toolchain

APT = r"""#!/usr/bin/env python3
import pathlib, sys
here = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
with open(here / "calls", "a") as calls:
    print(*arguments, file=calls)
if "indextargets" in arguments:
    print((here / "targets").read_text(), end="")
    sys.exit()
settings = dict(word[2:].split("=", 1) for word in arguments if word.startswith("-o"))
offered = (here / "packages").read_text().split()
sources = pathlib.Path(settings["Dir::Etc::sourcelist"])
if "update" in arguments and "broken" in sources.read_text():
    print("Err:1 some list")
    print("E: The repository is not signed.")
    sys.exit(100)
for name in offered:
    if "--print-uris" in arguments:
        print(f"'somewhere/{name}.deb' {name}_2%3a1.5+b1_amd64.deb 1000 MD5Sum:0")
    if "--download-only" in arguments:
        (pathlib.Path(settings["Dir::Cache::archives"]) / f"{name}_1_amd64.deb").write_text(name)
"""
DPKG = r"""#!/usr/bin/env python3
import pathlib, sys
root, name = pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[2]).read_text()
for path in (f"usr/bin/{name}", "usr/share/doc/x", "usr/share/prjxray/database/zynq7/x",
             "usr/share/prjxray/database/artix7/x"):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(name)
if name == "bad":
    print("dpkg-deb: error: not an archive")
    sys.exit(2)
"""
DEBIAN = """\
trixie-security mirror://one/debian-security
tools-trixie mirror://two/apt
trixie mirror://three/debian
trixie-updates mirror://three/debian
"""


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put an apt and a dpkg that fetch nothing on PATH, set to Debian; return their folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("apt-get", APT), ("dpkg-deb", DPKG)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "targets").write_text(DEBIAN)
    (folder / "packages").write_text(" ".join([*PACKAGES, "libc6"]))
    keyring = folder / "keyring"
    keyring.touch()
    monkeypatch.setattr(debian, "KEYRING", keyring)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "trixie"})
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.usefixtures("apt")
def test_mirror_is_that_of_the_system() -> None:
    assert mirror() == "mirror://three/debian"


@pytest.mark.parametrize("wanting", ["mirror", "keyring"])
def test_other_systems_are_told_what_to_do(wanting: str, apt: Path) -> None:
    if wanting == "mirror":
        (apt / "targets").write_text("noble mirror://four/ubuntu\n")
    else:
        (apt / "keyring").unlink()
    message = (
        r"^apt must be set to a Debian mirror, .+ not to another system's: try --mirror, [^\n]+$"
    )
    with pytest.raises(InputError, match=message):
        mirror()


@pytest.mark.parametrize("name", ["apt-get", "dpkg-deb"])
def test_no_apt(name: str, apt: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (apt / name).unlink()
    monkeypatch.setenv("PATH", str(apt))
    with pytest.raises(InputError, match=rf"^{name} must be here to fetch [^\n]+ not missing: "):
        install(tmp_path / "tools", "mirror://any")
    assert not (tmp_path / "tools").exists()


def test_install(apt: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build" / "toolchain"
    told: list[tuple[str, int, int]] = []
    made = install(folder, progress=lambda *each: told.append(each))
    assert made.root == folder
    assert dict(made.versions) == dict.fromkeys([*PACKAGES, "libc6"], "2:1.5+b1")
    assert made.differences == {name: ("2:1.5+b1", tested) for name, tested in PACKAGES.items()}
    record = json.loads((folder / RECORD).read_text())
    assert record == {"release": "forky", "packages": dict(made.versions)}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    kept = {f"usr/bin/{name}" for name in [*PACKAGES, "libc6"]}
    assert files == {*kept, "usr/share/prjxray/database/zynq7/x", RECORD}
    assert [path.name for path in folder.parent.iterdir()] == ["toolchain"]
    assert ("download", 0, 5000) in told
    assert [each for each in told if each[0] == "unpack"] == [("unpack", i, 5) for i in range(5)]
    # A second time, nothing is done; after a loss, all of it.
    calls = (apt / "calls").read_text()
    assert "deb [signed-by=" not in calls
    assert install(folder) == made
    assert (apt / "calls").read_text() == calls
    (folder / RECORD).unlink()
    install(folder)
    assert (folder / RECORD).is_file()


@pytest.mark.parametrize(
    ("packages", "source", "message"),
    [
        ("libc6", None, r"^packages of forky must be among those offered, not \['nextpnr-.+$"),
        ("all bad", None, r"^dpkg-deb must succeed, not stop: dpkg-deb: error: not an archive$"),
        ("all", "broken", r"^apt-get must succeed, not stop: The repository is not signed\.$"),
    ],
)
def test_failed_install_leaves_nothing(
    packages: str, source: str | None, message: str, apt: Path, tmp_path: Path
) -> None:
    (apt / "packages").write_text(packages.replace("all", " ".join(PACKAGES)))
    with pytest.raises(InputError, match=message):
        install(tmp_path / "build" / "toolchain", source)
    assert list((tmp_path / "build").iterdir()) == []


@pytest.mark.usefixtures("apt")
def test_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.command, ["install", "--json"], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert said["folder"] == "build/toolchain"
    assert said["versions"]["libc6"] == "2:1.5+b1"
    assert said["differs_from_tested"].keys() == PACKAGES.keys()
    result = CliRunner().invoke(cli.command, ["install"], catch_exceptions=False)
    assert "2:1.5+b1" in result.stdout
    assert PACKAGES["prjxray"][:10] in result.stdout


def test_missing_toolchain_names_its_remedy(tmp_path: Path) -> None:
    message = r"tools must hold the open toolchain, not nothing: try `bbnn toolchain install`$"
    with pytest.raises(InputError, match=message):
        Toolchain.at(tmp_path / "tools")


def test_programs_run_through_their_own_loader(tmp_path: Path) -> None:
    for name in ("usr/bin/tool", "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-a/libc.so.6"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    tools = Toolchain(tmp_path)
    loader, libraries = tmp_path / "usr/lib64/ld-linux-x86-64.so.2", tmp_path / "usr/lib/x86_64-a"
    program = tmp_path / "usr/bin/tool"
    expected = [str(loader), "--library-path", str(libraries), str(program), "-x", str(tmp_path)]
    assert tools.command("tool", "-x", tmp_path) == expected
    assert tools.environment["PYTHONHOME"] == str(tmp_path / "usr")
    with pytest.raises(InputError, match=r"^\S+/usr/bin/other must be a program of the toolchain"):
        tools.command("other")
    with pytest.raises(InputError, match=r"chipdb-xc7z045\.bin must be nextpnr's file"):
        tools.chip("xc7z045")


@pytest.mark.slow
def test_real_installation() -> None:
    tools = toolchain()
    command = tools.command("nextpnr-himbaechel-xilinx", "--version")
    run = subprocess.run(command, env=tools.environment, capture_output=True, text=True, check=True)
    version = tools.versions["nextpnr-himbaechel-xilinx"]
    assert re.search(re.escape(f"(Version {version})"), run.stderr)
    assert tools.chip("xc7z010").stat().st_size > 1e6
    assert (tools.database / "xc7z010/tilegrid.json").is_file()
    for other in ("artix7", "kintex7", "spartan7"):
        assert not (tools.database.parent / other).exists()
