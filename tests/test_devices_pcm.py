"""PCM devices: aihwkit's own figures, closed forms, and statistics of many draws (fixed seeds)."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Drive, Folding, Layer, Logits, NoisePlane
from bbnn.errors import InputError
from golden.devices import pcm
from golden.devices.chip import Chip
from golden.devices.mapping import LOGISTIC, Cells, deviation, differences, targets
from golden.devices.normal import STANDARD, distribution, quantile
from pcm_oracle import figures

TABLE = json.loads((Path(__file__).parent / "aihwkit_pcm.json").read_text())
YEAR = 365 * 86400.0


def assert_close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def compare(table: dict[str, Any]) -> None:
    """Hold the functions of `golden.devices.pcm` against aihwkit's figures, to float32."""
    assert [table[name] for name in ("g_max", "t_0", "t_read")] == [pcm.G_MAX, pcm.T_0, pcm.T_READ]
    g = np.array(table["conductances"])
    for row, draw in enumerate(table["draws"]):
        assert_close(pcm.programmed(g, draw), table["programmed"][row])
        assert_close(pcm.drift_exponent(g, draw), table["exponent"][row])
        for time, expected in zip(table["times"], table["read"][row], strict=True):
            mean = pcm.drifted(g, np.full_like(g, table["exponent_of_reads"]), time)
            noise = mean * pcm.relative_noise(g) * math.sqrt(pcm.accumulated(time))
            assert_close(np.maximum(mean + draw * noise, 0), expected)


def layer(rows: int, columns: int, bits: int = 1, code: int = 1) -> Layer:
    """Return a layer whose weights all have one code."""
    return Layer(
        name="output",
        drive=Drive(kind="unsigned", bits=8),
        codes=np.full((rows, columns), code),
        probability_bits=bits,
        neuron=Logits(scale=np.ones(columns, int), offset=np.zeros(columns, int), fraction_bits=0),
        folding=Folding(lanes_in=1, lanes_out=1),
        noise=NoisePlane(row_bits=bits, seed=1),
    )


def test_figures_of_aihwkit() -> None:
    compare(TABLE)


@pytest.mark.filterwarnings("ignore")  # Those of its own imports.
@pytest.mark.skipif(importlib.util.find_spec("aihwkit") is None, reason="aihwkit is not installed")
def test_table_is_aihwkits() -> None:
    fresh = figures()
    assert fresh.pop("aihwkit")
    compare(fresh)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("T_0", 25.0),
        ("PROGRAMMING", (0.26348, 1.9650, -1.1)),
        ("DRIFT_MEAN", (-0.0155, 0.0244, 0.05, 0.1)),
        ("DRIFT_DEVIATION", (-0.0125, -0.0059, 0.008, 0.05)),
        ("READ_NOISE", (0.0088, 0.6, 0.2)),
    ],
)
def test_a_wrong_constant_is_noticed(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcm, name, value)
    with pytest.raises(AssertionError):
        compare(TABLE)


def test_drift_is_a_power_of_time() -> None:
    """log G falls by nu for each unit of log((t + t_0) / t_0)."""
    g, nu = np.array([1.0, 10.0, 25.0]), np.array([0.03, 0.049, 0.1])
    for time in (10.0, 3600.0, YEAR):
        fall = np.log(g / pcm.drifted(g, nu, time))
        assert np.allclose(fall, nu * math.log((time + 20) / 20), rtol=1e-12)
    assert np.array_equal(pcm.drifted(g, nu, 0), g)


@pytest.mark.parametrize("time", [-1.0, math.nan, math.inf])
def test_times_before_programming(time: float) -> None:
    with pytest.raises(InputError, match="time since programming must be 0 seconds or more"):
        pcm.drifted(np.ones(1), np.ones(1), time)


def test_normal_distribution() -> None:
    z = np.linspace(-6, 6, 12_345)
    assert np.abs(distribution(z) - [STANDARD.cdf(each) for each in z]).max() < 1e-7
    assert distribution(np.array([-np.inf, 0, np.inf])).tolist() == [0, 0.5, 1]
    p = np.arange(257) / 256
    assert np.abs(distribution(quantile(p)) - p).max() < 1e-7


@pytest.mark.parametrize("base", [0.0, 5.0])
@pytest.mark.parametrize("conductance", [2.5, 8.2, 25.0])
def test_exact_mapping_gives_the_probability(base: float, conductance: float) -> None:
    """Phi(m / s) is p again, s including the noise of the weight cells that m needs."""
    cells = Cells(base=base, noise_conductance=conductance)
    p = np.arange(257) / 256
    m = differences(cells, p)
    z = m / deviation(cells, m)
    assert np.abs(distribution(z) - np.clip(p, *distribution(np.array([-4.0, 4.0])))).max() < 1e-6
    plus, minus = targets(cells, m)
    assert np.allclose(plus - minus, m)
    assert min(plus.min(), minus.min()) == base
    assert max(plus.max(), minus.max()) <= pcm.G_MAX


def test_linear_mapping_is_linear_in_lambda() -> None:
    """p within 0.0095 where the s of p = 1/2 holds for all: the logistic is that close to Phi."""
    cells = Cells(mapping="linear", limit=100)
    p = np.arange(1, 256) / 256
    lam = np.log(p / (1 - p)) / 2
    m = differences(cells, p)
    (s,) = deviation(cells, np.zeros(1))
    assert np.allclose(m, 2 * lam * s / LOGISTIC)
    assert 0.005 < np.abs(distribution(m / s) - p).max() < 0.0095
    assert differences(Cells(mapping="linear"), np.array([0.0, 0.5, 1.0])) == pytest.approx(
        [-4 * s, 0, 4 * s]
    )


def test_noise_cells_drift_apart_least_at_the_default() -> None:
    """The spread of nu after a year over the noise, from 1 uS on, and how much worse 25 uS are."""
    g = np.linspace(1, 25, 241)
    apart = pcm.drift_exponent(g, np.ones(1)) - pcm.drift_exponent(g, np.zeros(1))
    offset = apart * math.log((YEAR + pcm.T_0) / pcm.T_0)
    relative = offset / (pcm.relative_noise(g) * math.sqrt(pcm.accumulated(YEAR)))
    assert g[relative.argmin()] == pytest.approx(Cells().noise_conductance, abs=0.1)
    assert relative[-1] / relative.min() == pytest.approx(2.06, abs=0.01)
    assert relative.min() == pytest.approx(1.12, abs=0.01)


def test_certain_weights_can_take_the_whole_range() -> None:
    cells = Cells(limit=1000, base=1)
    assert differences(cells, np.array([0.0, 0.5, 1.0])).tolist() == [-24, 0, 24]


def test_programming_noise_of_many_devices() -> None:
    """Mean and deviation of 40,000 cells within five standard errors; so of exponents."""
    one = layer(200, 200)
    chip = Chip(one, 0, Cells(programming="open_loop", noise_conductance=15), 7)
    noise = chip.devices[2]
    target = np.full(1, 15.0)
    sigma = pcm.programming_deviation(target)[0]
    root = math.sqrt(one.codes.size)
    assert abs(noise.g.mean() - 15) < 5 * sigma / root
    assert abs(noise.g.std() / sigma - 1) < 5 / root / math.sqrt(2)
    # nu follows the conductance reached; around 15 uS mean and deviation are at their floor.
    assert abs(noise.nu.mean() - 0.049) < 5 * 0.008 / root
    assert abs(noise.nu.std() / 0.008 - 1) < 5 / root / math.sqrt(2)


@pytest.mark.parametrize("shared", ["synapse", "row", "column"])
def test_verified_synapses_stand_where_they_should(shared: Any) -> None:
    """Without a residual exactly, comparators included; with one, by its deviation."""
    cells = Cells(residual=0, comparator_offset=0.5, noise_cells=shared)
    one = layer(100, 100, 2, 3)
    (m,) = differences(cells, np.array([0.75]))
    assert np.allclose(Chip(one, 0, cells, 3).read(0, False).mean, m)
    rough = Chip(one, 0, replace(cells, residual=0.3), 3).read(0, False).mean - m
    assert abs(rough.std() / 0.3 - 1) < 5 / math.sqrt(2 * rough.size)
    loose = Chip(one, 0, replace(cells, programming="open_loop"), 3).read(0, False).mean - m
    assert loose.std() > 1


@pytest.mark.parametrize("shared", ["synapse", "row", "column"])
def test_variance_of_reads(shared: Any) -> None:
    """Variance over 4,000 reads, covariance where a row shares noise cells: within 5 errors.

    Cells that a column shares are read anew with every row, and so tie nothing together.
    """
    reading = Chip(layer(3, 4), 0, Cells(noise_cells=shared), 5).read(3600, False)
    rng = np.random.default_rng(11)
    reads = np.array([reading.read(rng).ravel() for _ in range(4000)])
    variance = (reading.own**2 + reading.shared**2).ravel()
    assert np.abs(reads.var(axis=0) / variance - 1).max() < 5 * math.sqrt(2 / 4000)
    row = np.arange(12) // 4
    same = row[:, None] == row if shared == "row" else np.eye(12, dtype=bool)
    root = np.sqrt(np.broadcast_to(reading.shared, (3, 4)).ravel())
    expected = np.where(same, np.outer(root, root) ** 2, 0) + np.diag(reading.own.ravel() ** 2)
    error = np.sqrt(2 * np.outer(variance, variance) / 4000)
    assert (np.abs(np.cov(reads.T) - expected) < 5 * error).all()


def test_slow_and_fast_noise_add_up() -> None:
    """What is kept varies over devices, what is new over reads; together they are all the noise."""
    window = 1e-3
    cells = Cells(
        read_noise="slow+fast", window=window, programming_scale=0, drift_scale=0, residual=0
    )
    one = layer(200, 200)
    reading = Chip(one, 0, cells, 9).read(YEAR, False)
    full = Chip(one, 0, replace(cells, read_noise="iid"), 9).read(YEAR, False)
    fast, total = math.log(window / (2 * pcm.T_READ)), pcm.accumulated(YEAR)
    assert np.allclose(reading.shared**2 / full.shared**2, fast / total)
    kept = float(full.shared[0, 0] ** 2) * (1 - fast / total)
    assert abs(reading.mean.var() / kept - 1) < 5 * math.sqrt(2 / one.codes.size)
    assert np.ptp(full.mean) == 0


def test_without_read_noise_a_weight_is_fixed() -> None:
    one = layer(30, 30, 2, 3)
    cells = Cells(read_noise="off")
    reading = Chip(one, 0, cells, 2).read(3600, True)
    assert not reading.own.any()
    assert not reading.shared.any()
    assert set(np.unique(reading.probabilities())) <= {0.0, 1.0}
    perfect = replace(cells, programming_scale=0, residual=0, drift_scale=0)
    tie = Chip(layer(2, 2), 0, perfect, 2).read(3600, True)
    # A sum of 0 is +1, as everywhere.
    assert tie.mean.tolist() == [[0, 0], [0, 0]]
    assert (tie.probabilities() == 1).all()


def test_noise_grows_and_the_gain_undoes_it() -> None:
    """Without drift p becomes Phi(z * f(0) / f(t)), with f**2 = `accumulated`."""
    cells = Cells(programming_scale=0, drift_scale=0, residual=0)
    one = layer(4, 4, 8, 230)
    chip = Chip(one, 0, cells, 1)
    p = np.full((4, 4), 230 / 256)
    growth = math.sqrt(pcm.accumulated(0) / pcm.accumulated(YEAR))
    shrunk = distribution(quantile(p.ravel()) * growth).reshape(4, 4)
    assert np.allclose(chip.read(YEAR, False).probabilities(), shrunk, atol=1e-6)
    assert chip.gains(YEAR) == pytest.approx((1, growth))
    seen = chip.read(YEAR, True).probabilities()
    assert np.abs(seen - p).max() < np.abs(shrunk - p).max() / 5


def test_gains_undo_a_drift_that_all_devices_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one exponent for all, the mean is back exactly, and the noise of the noise plane."""
    monkeypatch.setattr(pcm, "DRIFT_MEAN", (0.0, 0.06, 0.0, 1.0))
    monkeypatch.setattr(pcm, "DRIFT_DEVIATION", (0.0, 0.0, 0.0, 0.0))
    chip = Chip(layer(20, 20, 2, 3), 0, Cells(), 4)
    start, plain, back = chip.read(0, False), chip.read(YEAR, False), chip.read(YEAR, True)
    assert np.allclose(plain.mean, start.mean * ((YEAR + 20) / 20) ** -0.06)
    assert np.allclose(back.shared, start.shared)
    weight, noise = chip.gains(YEAR)
    assert weight == pytest.approx(((YEAR + 20) / 20) ** 0.06)
    assert noise == pytest.approx(weight * math.sqrt(pcm.accumulated(0) / pcm.accumulated(YEAR)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"residual": -0.1}, "residual must be 0 or more, not -0.1"),
        ({"programming_scale": -1.0}, "programming scale must be 0 or more, not -1.0"),
        ({"comparator_offset": math.nan}, "comparator offset must be 0 or more, not nan"),
        ({"noise_conductance": 26.0}, "noise conductance must be in 0.1..25, not 26.0"),
        ({"window": 1e-9}, "window must be in 1e-06..20, not 1e-09"),
        ({"programming": "twice"}, "programming must be one of open_loop, verify, not 'twice'"),
        ({"read_noise": "pink"}, "read noise must be one of iid, slow+fast, off, not 'pink'"),
    ],
)
def test_refused_cells(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Cells(**options)
    assert str(caught.value) == message
