"""The open toolchain for tests that place and route; they are slow, and install it if need be."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bbnn.errors import InputError
from boards.toolchain.install import install
from boards.toolchain.programs import FOLDER, Toolchain

ROOT = Path(__file__).parents[1]


def toolchain() -> Toolchain:
    """Return the toolchain, installed now if it was not; skip the test where that is impossible.

    On CI that is a failure.
    """
    try:
        with _alone():
            return install(ROOT / FOLDER)
    except InputError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process of the tests installs."""
    lock = (ROOT / FOLDER).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
