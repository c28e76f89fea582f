"""What holds for the whole suite: tools on PATH, fixed seeds, no silently missing simulator."""

from __future__ import annotations

import os

import hypothesis
import numpy as np
import pytest

from bbnn import tools
from bbnn.errors import InputError

SEED = 20261121
MARKS = {"icarus": "iverilog", "chromium": "chromium", "tcl": "tcl"}
"""The programs that marked tests need, by the names of `bbnn.tools`."""

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Let simulators and their makefiles be found without an activated environment."""
    os.environ.update(tools.environment())


def pytest_report_header() -> str:
    return f"seeds: {SEED} for the fixture rng, others stand in the tests; hypothesis derandomized"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marked program is missing; on CI that is a failure."""
    try:
        for mark, tool in MARKS.items():
            if item.get_closest_marker(mark) is not None:
                tools.find(tool)
    except InputError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator that draws the same numbers in every run."""
    return np.random.default_rng(SEED)
