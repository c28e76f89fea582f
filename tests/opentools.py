"""The open toolchain for tests that place and route; they are slow, and install it if need be."""

from __future__ import annotations

import os
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
        return install(ROOT / FOLDER)
    except InputError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
