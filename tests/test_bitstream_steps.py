"""Steps are done again when, and only when, something about them has changed; programs may fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bbnn.errors import InputError
from boards.process import run
from boards.steps import Steps


class Doing:
    """A step that copies what it reads, and counts how often it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.source.write_text("1")
        self.times = 0

    def action(self) -> None:
        self.times += 1
        (self.folder / "copy").write_text(self.source.read_text())

    def again(self, settings: object = None, name: str = "copy it") -> bool:
        done = Steps(self.folder).step(name, [self.source], ["copy"], self.action, settings)
        assert (self.folder / "copy").read_text() == self.source.read_text()
        return done


@pytest.fixture
def doing(tmp_path: Path) -> Doing:
    return Doing(tmp_path)


def test_unchanged_steps_are_skipped(doing: Doing) -> None:
    assert [doing.again() for _ in range(3)] == [True, False, False]
    assert doing.times == 1


def test_every_change_counts(doing: Doing) -> None:
    assert doing.again()
    doing.source.write_text("2")
    assert doing.again()
    (doing.folder / "copy").write_text("touched")
    assert doing.again()
    (doing.folder / "copy").unlink()
    assert doing.again()
    assert doing.again({"clock": 100})
    assert not doing.again({"clock": 100})
    assert doing.again({"clock": 101})
    assert doing.again(name="another")


def test_a_step_cut_off_is_not_done(doing: Doing) -> None:
    assert doing.again()
    doing.source.write_text("2")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Steps(doing.folder).step("copy it", [doing.source], ["copy"], stop)
    # Not even for the old source, whose copy lies there.
    doing.source.write_text("1")
    assert doing.again()


PROGRAM = """
import sys
with open("a.log", "a") as log:
    log.write("Info: one...\\nInfo: ")
    log.flush()
    log.write("two\\n")
print("Warning: something")
if sys.argv[1] == "fail":
    print("ERROR: it does not fit")
    print("more")
elif sys.argv[1] == "trap":
    sys.exit("Trap: out of stack")
sys.exit(sys.argv[1] != "work")
"""


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("work", ""),
        ("fail", "ERROR: it does not fit"),
        ("trap", "Trap: out of stack"),
        ("quit", "Warning: something"),
    ],
)
def test_log_is_followed_and_kept(how: str, reason: str, tmp_path: Path) -> None:
    told: list[str] = []
    command = [sys.executable, "-c", PROGRAM, how]
    if reason:
        message = rf"^python\S* must succeed, not stop: {reason} \(log: \S+a\.log\)$"
        with pytest.raises(InputError, match=message):
            run(command, tmp_path, "a.log", os.environ, told.append)
    else:
        run(command, tmp_path, "a.log", os.environ, told.append)
    assert told == ["Info: one...", "Info: two"]
    assert "Warning: something" in (tmp_path / "a.log").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_interrupted_program_is_killed(tmp_path: Path) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    program = "open('a.log', 'a').write('x\\n'); import time; time.sleep(60); open('late', 'w')"
    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", program], tmp_path, "a.log", os.environ, stop)
    assert not (tmp_path / "late").exists()
