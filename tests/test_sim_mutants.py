"""The kill rate: how many small changes of the generated Verilog the benches notice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hdl.generate import verilog_text
from tb.mutants import OPERATORS, Mutant, kill, mutants
from tb.setup import Setup
from test_simulation import images, network

COUNT = 48
"""Mutants of each network; half a minute for ten of them."""


def test_mutants_are_small_and_repeatable() -> None:
    """A mutant differs in one line; every operator finds a place in the generated Verilog."""
    text = verilog_text(network("coins"))
    drawn = mutants(text, 4 * len(OPERATORS))
    assert drawn == mutants(text, 4 * len(OPERATORS))
    assert len({mutant.text for mutant in drawn}) == len(drawn) == 4 * len(OPERATORS)
    assert {mutant.operator for mutant in drawn} == set(OPERATORS)
    lines = text.split("\n")
    for mutant in drawn:
        changed = mutant.text.split("\n")
        assert [i for i, line in enumerate(lines) if line != changed[i]] == [mutant.line - 1]
        assert (lines[mutant.line - 1].strip(), changed[mutant.line - 1].strip()) == (
            mutant.before,
            mutant.after,
        )


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["coins", "stratified", "never"])
def test_kill_rate(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most mutants die; the survivors are printed, since each is a question."""
    # A mutant may loop without time passing, which no watchdog in the simulator can end.
    monkeypatch.setenv("SIM_CMD_PREFIX", "timeout 60")
    true = network(name)
    setups = [
        Setup(members=3),
        Setup(members=5, stalls=40, restart_after=250, member_logits=False),
    ]

    def fate(numbered: tuple[int, Mutant]) -> str | None:
        number, mutant = numbered
        return kill(true, mutant, images(true, 16), setups, tmp_path / str(number))

    text = verilog_text(true)
    unchanged = Mutant(operator="none", line=0, before="", after="", text=text)
    assert fate((-1, unchanged)) is None
    drawn = mutants(text, COUNT)
    assert len(drawn) == COUNT
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fates = list(pool.map(fate, enumerate(drawn)))
    killed = sum(found is not None for found in fates)
    print(f"\n{name}: killed {killed}/{COUNT}")
    for mutant, found in zip(drawn, fates, strict=True):
        print(f"  {found or 'SURVIVES'}: {mutant.operator}, line {mutant.line}: {mutant.after}")
    assert killed >= 0.8 * COUNT
