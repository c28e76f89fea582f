"""The repository's own rules: who imports whom, whose names, how long, what may not be in it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("bbnn", "golden", "hdl", "tb", "boards", "training", "models")
OWN = {*PACKAGES, "tests"}
MAY_IMPORT = {
    "bbnn": set[str](),
    "golden": {"bbnn"},
    "hdl": {"bbnn"},
    "tb": {"golden", "bbnn"},
    "boards": {"hdl", "bbnn"},
    "training": {"bbnn"},
    "models": {"bbnn"},
}
"""The equality of golden and hdl is worth something only while neither can copy the other."""
LONGEST = 400
"""Lines of a module."""
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the dots and the full name of every import in a module, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(), path)):
        match node:
            case ast.Import(names=names):
                yield from ((0, alias.name) for alias in names)
            case ast.ImportFrom(module=name, level=dots):
                yield dots, name or ""
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield 0, name


def test_there_is_something_to_check() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} >= {"bbnn", "golden", "hdl", "tb"}
    found = {name for path in MODULES for _, name in imports(path)}
    assert {"numpy", "bbnn.description", "amaranth.hdl"} <= found


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_arrows_between_packages(path: Path) -> None:
    package, *rest = path.relative_to(ROOT).parts
    runs_all = package == "bbnn" and rest[0] in ("cli", "__main__.py")
    allowed = set(PACKAGES) if runs_all else {package, *MAY_IMPORT[package]}
    own = sorted(name for _, name in imports(path) if name.split(".")[0] in OWN)
    assert not [name for name in own if name.split(".")[0] not in allowed]
    assert runs_all or not [name for name in own if name.startswith("bbnn.cli")]


@pytest.mark.parametrize("path", MODULES + TESTS, ids=relative)
def test_module_is_short_and_imports_absolutely(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
    assert not [name for dots, name in imports(path) if dots]


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_owns_our_names(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"bbnn"}


HOME = re.compile(rb"(?<![\w.])/(work|root|home/\w+|Users/\w+)/")
"""A path that is some machine's alone."""
HOST = re.compile(rb"https?://([\w.-]+)")
HOSTS = {
    b"arxiv.org",
    b"creativecommons.org",
    b"doi.org",
    b"github.com",
    b"keras.io",
    b"tech.zalando.com",
}
"""What we may refer to; above all, no lock file names a package registry."""


def tracked() -> list[Path]:
    """Return what is or could be committed: tracked files, and new ones that are not ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_trace_of_a_machine() -> None:
    files = tracked()
    assert set(files) >= {*MODULES, *TESTS}
    assert not [relative(path) for path in files if HOME.search(path.read_bytes())]
    hosts = {relative(path): set(HOST.findall(path.read_bytes())) - HOSTS for path in files}
    assert not {name: unknown for name, unknown in hosts.items() if unknown}


def pins(lock: str) -> dict[str, str]:
    """Return the version of every package in a lock file; each entry must have its hashes."""
    lines = (ROOT / lock).read_text().replace("\\\n", "").splitlines()
    entry = re.compile(r"([\w.-]+)==(\S+)(?: ; [^#]+?)?(?:\s+--hash=sha256:[0-9a-f]{64})+")
    matches = [entry.fullmatch(line) for line in lines if not line.startswith("#")]
    assert matches
    assert None not in matches
    return {match[1]: match[2] for match in matches if match}


def declared(*tables: list[str]) -> dict[str, Requirement]:
    """Return the requirements of some tables of pyproject.toml by name."""
    requirements = [Requirement(text) for table in tables for text in table]
    return {canonicalize_name(each.name): each for each in requirements}


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PYPROJECT["dependency-groups"]
RUN = declared(PYPROJECT["project"]["dependencies"])
EXTRAS = {
    "train": ("training/", "bbnn/cli/"),
    "sweep": ("bbnn/sweep.py",),
}
"""Who may import what is optional."""


def test_locks_fit_the_declared_dependencies() -> None:
    run, test = pins("requirements.lock"), pins("requirements-test.lock")
    assert run.items() <= test.items()
    for name, requirement in (RUN | declared(GROUPS["build"])).items():
        assert requirement.specifier.contains(run[name]), name
    for name, requirement in declared(GROUPS["test"], GROUPS["lint"]).items():
        assert requirement.specifier.contains(test[name]), name


def test_what_is_imported_is_declared() -> None:
    """`make demo` installs the declared dependencies alone, without those of the tests."""
    owners = packages_distributions()
    for path in MODULES:
        allowed = {*RUN}
        for extra, users in EXTRAS.items():
            if relative(path).startswith(users):
                allowed |= {*declared(PYPROJECT["project"]["optional-dependencies"][extra])}
        for top in {name.split(".")[0] for _, name in imports(path)}:
            if top not in OWN and top not in sys.stdlib_module_names:
                installed_by = set(map(canonicalize_name, owners.get(top, [top])))
                assert installed_by & allowed, f"{relative(path)} imports {top}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        # More than a minute.
        pytest.param(["pyright"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_linters_have_nothing_to_say(arguments: list[str]) -> None:
    command = [sys.executable, "-m", *arguments]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
