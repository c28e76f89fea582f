"""Every block's Verilog does what its Amaranth simulation did, and broken copies do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import test_hdl_buffers as buffers
import test_hdl_control as control
import test_hdl_core as core
import test_hdl_crossbar as crossbar
import test_hdl_ensemble as ensemble
import test_hdl_neurons as neurons
import test_hdl_noise as noise
from blocks import Recording, dense
from hdl.verilog import verilog_of
from replays import Played, replay
from test_hdl_accesses import accesses


def plane(case: str) -> list[Recording]:
    layer, options = noise.PLANES[case]
    return [noise.noise_plane(layer, **options)]


def logit(case: str) -> list[Recording]:
    return [neurons.logit_neuron(dense(8, 3, 1, 1, neuron=neurons.LOGITS[case]))]


# Block: its recordings, a pattern in its text, what replaces the first match in a broken copy.
BLOCKS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "lfsr": (lambda: [noise.lfsr(64, 33)], r"if \(load\)", "if (load & ~advance)"),
    "noise_memory": (
        lambda: [noise.noise_memory(4, 12, 20, stall) for stall in (0, 2)],
        r"memory\[\{ read_half,",
        "memory[{ write_half,",
    ),
    "antithetic_plane": (lambda: plane("antithetic"), r"restart = (\S+) == ", r"restart = \1 != "),
    "rotated_plane": (lambda: plane("rotated"), r"casez \((\\group\S* )\)", r"casez (~\1)"),
    "repack": (
        lambda: [buffers.repack(*buffers.REPACKS["no-common-factor"], stall) for stall in (3, 0)],
        r"ends_word = (\S+) \| ",
        r"ends_word = \1 & ",
    ),
    "replay": (
        lambda: [buffers.replay(*buffers.REPLAYS["pixels"])],
        r"group == 2'h3",
        "group == 2'h2",
    ),
    "crossbar": (
        lambda: [crossbar.crossbar(crossbar.CROSSBARS["three-planes"], stall) for stall in (3, 0)],
        r"enable = ~ \S+",
        "enable = 1'h1",
    ),
    "sign_crossbar": (
        lambda: [crossbar.crossbar(crossbar.CROSSBARS["coins"])],
        r"last_column_group = (\S+) == 2'h2",
        r"last_column_group = \1 == 2'h1",
    ),
    "columns": (
        lambda: [neurons.columns(neurons.COLUMNS["short-last-chunk"])],
        r"leaves = o__valid & o__ready",
        "leaves = o__ready",
    ),
    "threshold": (
        lambda: [neurons.threshold_neurons(neurons.THRESHOLDS["short-last-chunk"])],
        r">= \$signed",
        "> $signed",
    ),
    "logit": (lambda: logit("ordinary"), r"\$signed\(product\) \+", "$signed(product) -"),
    "layer": (
        lambda: [neurons.layer(*neurons.LAYERS["hidden"], stall) for stall in (3, 0)],
        r"valid = (\S+)  & (\S+) ;",
        r"valid = \1  | \2 ;",
    ),
    "ensemble": (
        lambda: [ensemble.ensemble(ensemble.random_images(m, 3), wanted=m == 3) for m in (3, 1, 4)],
        r"\$signed\(i__payload\) > ",
        "$signed(i__payload) >= ",
    ),
    "control": (
        lambda: [accesses(control.NARROW), control.counting()],
        r"bus__wstrb == 4'hf",
        "bus__wstrb != 4'h0",
    ),
    "wide_control": (
        lambda: [accesses(control.WIDE)],
        r"cycles \+ 1'h1",
        "cycles + 2'h2",
    ),
    "core": (
        lambda: [core.core(), *(core.stopped(*place) for place in core.STOPS.values())],
        r"empty = (\S+)  & (\S+) ;",
        r"empty = \1  | \2 ;",
    ),
}


@cache
def played() -> dict[str, Played]:
    """Return every block's recordings, with its text and a broken copy of it."""
    result = {}
    for name, (record, pattern, replacement) in BLOCKS.items():
        recordings = record()
        text = verilog_of(recordings[0].block, name)
        assert "[-1:0]" not in text, f"{name} has a signal without bits"
        broken, count = re.subn(pattern, replacement, text, count=1)
        assert count, f"{name} has no {pattern}"
        result[name] = Played(recordings=recordings, texts=[text, broken])
    return result


@pytest.mark.parametrize(
    "simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
)
def test_verilog_plays_what_amaranth_played(simulator: str, tmp_path: Path) -> None:
    blocks = played()
    results = replay(blocks, simulator, tmp_path)
    recorded = {name: sum(len(r.rows) for r in block.recordings) for name, block in blocks.items()}
    short = [name for name, (whole, _) in results.items() if whole.rows <= recorded[name]]
    wrong = {name: whole for name, (whole, _) in results.items() if whole.wrong}
    missed = [name for name, (_, broken) in results.items() if not broken.wrong]
    assert (short, wrong, missed) == ([], {}, [])
    rows = sum(whole.rows for whole, _ in results.values())
    print(f"{simulator}: {len(results)}/{len(BLOCKS)} blocks equal, in {rows}/{rows} rows")
