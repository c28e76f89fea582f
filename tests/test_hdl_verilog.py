"""Every block's Verilog does what its Amaranth simulation did, and broken copies do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import test_correction as correction
import test_data_path as data_path
import test_early_exit as exits
import test_hdl_buffers as buffers
import test_hdl_control as control
import test_hdl_core as core
import test_hdl_crossbar as crossbar
import test_hdl_ensemble as ensemble
import test_hdl_lines as lines
import test_hdl_neurons as neurons
import test_hdl_noise as noise
import test_hdl_pool as pool
import test_hdl_quantised as quantised
import test_hdl_spiking as spiking
import test_hdl_split as split
import test_hdl_streams as streams
import test_hdl_systems as systems
import test_pruning as pruning
import test_residual as residual
from blocks import Recording, dense
from hdl.verilog import verilog_of
from replays import Played, replay
from test_hdl_accesses import accesses


def plane(case: str) -> list[Recording]:
    layer, options = noise.PLANES[case]
    return [noise.noise_plane(layer, **options)]


def line_buffer(case: str) -> list[Recording]:
    shape, options = lines.LINES[case]
    return [lines.line_buffer(shape, **options, stall=stall) for stall in (2, 0)]


def system(name: str) -> list[Recording]:
    return [data_path.compare(data_path.SMALL[name](members=2), stall=2, wanted=True, count=2)]


def logit(case: str) -> list[Recording]:
    return [neurons.logit_neuron(dense(8, 3, 1, 1, neuron=neurons.LOGITS[case]))]


# Block: its recordings, a pattern in its text, what replaces the first match in a broken copy.
BLOCKS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "corrected_neuron": (
        lambda: [correction.joined()],
        r"scales_written >> (\\read\S+)",
        r"scales_written << \1",
    ),
    "exiting_path": (
        lambda: [exits.data_path(exits.early(exits.random_network()), exits.VOTE, count=3)],
        r"= ! ahead;",
        "= ahead != 0;",
    ),
    "correcting_control": (
        lambda: [correction.kept_and_delivered()],
        r"= offsets_written >>",
        r"= offsets_written <<",
    ),
    "lfsr": (lambda: [noise.lfsr(64, 33)], r"if \(load\)", "if (load & ~advance)"),
    "noise_memory": (
        lambda: [noise.noise_memory(4, 12, 20, stall) for stall in (0, 2)],
        r"memory\[\{ read_half,",
        "memory[{ write_half,",
    ),
    "antithetic_plane": (lambda: plane("antithetic"), r"restart = (\S+) == ", r"restart = \1 != "),
    "rotated_plane": (lambda: plane("rotated"), r"casez \((\\group\S* )\)", r"casez (~\1)"),
    "dropping_plane": (
        lambda: plane("dropped-maps"),
        r"data\[2:0\] >= ",
        "data[2:0] > ",
    ),
    "line_buffer": (
        lambda: line_buffer("replayed"),
        r"last_pass = (\S+) == ",
        r"last_pass = \1 != ",
    ),
    "padded_line_buffer": (
        lambda: line_buffer("short-group"),
        r"ends_position = ends_word & ",
        "ends_position = ends_word | ",
    ),
    "scale_unit": (
        lambda: [systems.scale_unit(3, 3, 3)],
        r"last_layer = layer == 2'h2",
        "last_layer = layer == 2'h1",
    ),
    "rate_encoder": (
        lambda: [systems.rate_encoder(5)],
        r"8'h80",
        "8'h7f",
    ),
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
    "telling_replay": (
        lambda: [buffers.replay(*buffers.REPLAYS["pixels"], tells=True)],
        r"assign live = ",
        "assign live = ~ ",
    ),
    "live_plane": (lambda: plane("live-maps"), r"assign live = ", "assign live = ~ "),
    "skipping_crossbar": (
        lambda: [crossbar.crossbar(crossbar.SKIPPING["skipped-planes"], stall) for stall in (3, 0)],
        r"first = & ",
        "first = | ",
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
        lambda: [accesses(control.WIDE, count=800)],
        r"cycles \+ 1'h1",
        "cycles + 2'h2",
    ),
    "core": (
        lambda: [core.core(), *(core.stopped(*place) for place in core.STOPS.values())],
        r"empty = (\S+)  & (\S+) ;",
        r"empty = \1  | \2 ;",
    ),
    **neurons.BLOCKS,
    **residual.BLOCKS,
    **pool.BLOCKS,
    **pruning.BLOCKS,
    **quantised.BLOCKS,
    **spiking.BLOCKS,
    **split.BLOCKS,
    **streams.BLOCKS,
}

# Whole data paths take minutes to compile.
PATHS: dict[str, tuple[Callable[[], list[Recording]], str, str]] = {
    "spatial_path": (lambda: system("spatial"), r"ends_member = ", "ends_member = ~"),
    "residual_path": (lambda: system("residual"), r"ends_row = (\S+) & ", r"ends_row = \1 | "),
    "skipping_path": (lambda: system("skipping"), r"first = & ", "first = | "),
    "spiking_path": (lambda: system("spiking"), r"ends_row = (\S+) & ", r"ends_row = \1 | "),
}


@cache
def played(whole: bool) -> dict[str, Played]:
    """Return every block's recordings, with its text and a broken copy of it."""
    result = {}
    for name, (record, pattern, replacement) in (PATHS if whole else BLOCKS).items():
        recordings = record()
        text = verilog_of(recordings[0].block, name)
        assert "[-1:0]" not in text, f"{name} has a signal without bits"
        broken, count = re.subn(pattern, replacement, text, count=1)
        assert count, f"{name} has no {pattern}"
        result[name] = Played(recordings=recordings, texts=[text, broken])
    return result


@pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["blocks", "data-paths"]
)
@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("verilator", marks=pytest.mark.slow),
        pytest.param("icarus", marks=pytest.mark.icarus),
    ],
)
def test_verilog_plays_what_amaranth_played(simulator: str, whole: bool, tmp_path: Path) -> None:
    blocks = played(whole)
    results = replay(blocks, simulator, tmp_path)
    recorded = {name: sum(len(r.rows) for r in block.recordings) for name, block in blocks.items()}
    short = [name for name, (right, _) in results.items() if right.rows <= recorded[name]]
    wrong = {name: right for name, (right, _) in results.items() if right.wrong}
    missed = [name for name, (_, broken) in results.items() if not broken.wrong]
    assert (short, wrong, missed) == ([], {}, [])
    rows = sum(right.rows for right, _ in results.values())
    print(f"{simulator}: {len(results)}/{len(blocks)} blocks equal, in {rows}/{rows} rows")
