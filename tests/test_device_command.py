"""`bbnn device`: what it prints, draws and refuses, on networks too small to wait for."""

from __future__ import annotations

import json
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bbnn import data
from bbnn.cli import device, device_table
from bbnn.errors import InputError
from bbnn.model_file import save_network
from golden.devices.mapping import Cells
from golden.devices.network import Moment, effective
from golden.devices.study import DeviceStudy, Point
from golden.evaluation import evaluate
from golden.variants import reseeded
from networks import random_network
from systems import Block, build, drop

METRICS = {"accuracy", "nll", "ece", "auroc"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    network = random_network(sizes=(784, 8, 10), probability_bits=(2, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def dropping(tmp_path: Path) -> Path:
    """Return the same with fixed weights and dropout."""
    blocks = (
        Block(columns=8, bits=0),
        Block(columns=10, neuron="logits", bits=0, dropout=drop(1, 2)),
    )
    save_network(build(1, blocks, input_shape=(28, 28, 1)), tmp_path / "dropping.safetensors")
    return tmp_path / "dropping.safetensors"


def run(model: Path, *options: str) -> str:
    arguments = [str(model), "--images", "30", "--calibration", "20", *options]
    return CliRunner().invoke(device.command, arguments, catch_exceptions=False).stdout


def told(model: Path, *options: str) -> dict[str, Any]:
    return json.loads(run(model, *options, "--json"))


def corrections(result: dict[str, Any]) -> list[tuple[str, bool, str]]:
    names = ("case", "drift_compensation", "logit_correction")
    return [tuple(row[name] for name in names) for row in result["rows"]]  # type: ignore[misc]


def test_rows_of_pcm(model: Path) -> None:
    """None, each and both corrections at every time; values of every chip, and what they mean."""
    result = told(model, "--time", "1h,1y", "--chips", "3", "--noise-conductance", "20")
    four = [(False, "off"), (False, "affine"), (True, "off"), (True, "affine")]
    assert corrections(result) == [
        ("ideal", False, "off"),
        *[("1h", *each) for each in four],
        *[("1y", *each) for each in four],
    ]
    assert (result["images"], result["calibration"], result["chips"]) == (30, 20, [1, 2, 3])
    assert result["settings"] == {"times": "1h,1y", "noise_conductance": 20.0}
    for row in result["rows"]:
        for name in METRICS:
            values = row[name]["chips"]
            assert row[name]["mean"] == np.mean(values)
            assert row[name]["deviation"] == np.std(values, ddof=1)
            assert len(values) == 3


def test_a_row_is_the_evaluation_of_that_chip(model: Path) -> None:
    """Figures of chip 5 after a day again, by `golden.evaluation` of its effective codes."""
    result = told(model, "--time", "1d", "--chips", "1", "--seed", "5", "--no-drift-compensation")
    assert [each[:2] for each in corrections(result)[1:]] == [("1d", False)] * 2
    network = device.load(model)
    moment = Moment(cells=Cells(), chip=5, time=86400, compensated=False)
    images, labels = data.load(data.SAMPLE)
    strange, _ = data.load("mnist-1000")
    expected = evaluate(
        effective(reseeded(network, 5), moment), images[:30], labels[:30], {"odd": strange[:30]}
    ).figures
    plain = result["rows"][1]
    for name in ("accuracy", "nll", "ece"):
        assert plain[name] == {"mean": expected[name], "deviation": None, "chips": [expected[name]]}
    assert plain["auroc"]["mean"] == expected["ood"]["odd"]["entropy"]["auroc"]


def test_options_reach_the_devices(model: Path) -> None:
    """Each of them changes what one chip does after an hour."""
    common = ("--time", "1h", "--chips", "1", "--images", "100")
    plain = told(model, *common)["rows"][1]["nll"]
    for options in (
        ("--programming", "open_loop"),
        ("--read-noise", "slow+fast"),
        ("--read-noise", "off"),
        ("--mapping", "linear"),
        ("--noise-cells", "column"),
        ("--noise-conductance", "20"),
        ("--base", "5"),
        ("--limit", "1"),
        ("--residual", "0"),
        ("--comparator-offset", "1"),
        ("--drift-scale", "0"),
        ("--reads",),
        ("--bits", "2"),
    ):
        assert told(model, *common, *options)["rows"][1]["nll"] != plain, options


def test_rows_of_mtj(dropping: Path) -> None:
    result = told(dropping, "--device", "mtj", "--chips", "2", "--stuck", "0.5")
    cases = ["spread", "stuck", "spread and stuck"]
    expected = [(case, False, kind) for case in cases for kind in ("off", "affine")]
    assert corrections(result) == [("ideal", False, "off"), *expected]
    alone = told(dropping, "--device", "mtj", "--chips", "2", "--logit-correction", "off")
    assert corrections(alone) == [("ideal", False, "off"), ("spread", False, "off")]
    assert alone["rows"][0] == result["rows"][0]
    assert alone["rows"][1] == result["rows"][1]
    assert result["rows"][3] != result["rows"][1]


def test_table_and_picture(model: Path, tmp_path: Path) -> None:
    """Every row is in the table; the PNG has ink in all its panels, and nothing is left beside."""
    path = tmp_path / "pictures" / "device.png"
    with pytest.raises(InputError, match="must be a file in an existing folder"):
        run(model, "--report", str(path))
    path.parent.mkdir()
    text = run(model, "--time", "1h,30d", "--chips", "2", "--report", str(path))
    rows = told(model, "--time", "1h,30d", "--chips", "2")["rows"]
    for row in rows:
        assert f"{row['accuracy']['mean']:.4f}" in text
    assert {device_table.corrected_by(row) for row in rows} == {
        "nothing",
        "logits",
        "drift",
        "drift and logits",
    }
    assert list(path.parent.iterdir()) == [path]
    picture = imread(path)[..., :3]
    assert picture.shape == (1060, 1600, 3)
    for down in (170, 600):
        for right in (48, 828):
            piece = picture[down : down + 400, right : right + 720]
            assert ((piece.max(axis=2) - piece.min(axis=2)) > 0.3).mean() > 0.001


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "-1h"], "--time must be times since programming such as 1h,30d,1y, not '-1h'"),
        (["--time", "1h,"], "--time must be times since programming such as 1h,30d,1y, not ''"),
        (["--residual", "-1"], "residual must be 0 or more, not -1.0"),
        (["--device", "rram"], "--device must be pcm or mtj, not 'rram'"),
        (["--read-noise", "pink"], "read noise must be one of iid, slow+fast, off, not 'pink'"),
        (["--spread", "0.1"], "options must be those of --device pcm, not ['spread']"),
        (
            ["--device", "mtj", "--time", "1h"],
            "options must be those of --device mtj, not ['time']",
        ),
        (["--device", "mtj"], "layers must be with spatial or scale dropout"),
        (["--chips", "0"], "--chips must be an integer in 1..10000, not 0"),
        (["--members", "0"], "members must be an integer in 1.."),
        (["--bits", "1"], "bits must be an integer in 2..8, not 1"),
        (["--bits", "9"], "--bits must be an integer in 1..8, not 9"),
        (["--images", "981"], "--images must be an integer in 1..980, not 981"),
        (["--calibration", "1"], "--calibration must be an integer in 2..999, not 1"),
        (["--dataset", "cifar"], "data set must be one of"),
        (["--logit-correction", "x"], "--logit-correction must be one of off, offset, affine"),
    ],
)
def test_refused(model: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(model, *options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_times() -> None:
    assert device.parsed("90s, 2m,1h,1.5d,1y") == {
        "90s": 90,
        "2m": 120,
        "1h": 3600,
        "1.5d": 129_600,
        "1y": 31_536_000,
    }


def test_results_are_gone_on_with(model: Path, tmp_path: Path) -> None:
    """A run that was broken off, and one of more chips and times: as if measured at once."""
    path = tmp_path / "results.jsonl"
    kept = ("--results", str(path))
    wanted = told(model, "--time", "1h,1d", "--chips", "2")
    assert told(model, "--time", "1h", "--chips", "1", *kept) != wanted
    head, first, *rest = path.read_text().splitlines()
    path.write_text(f"{head}\n{first}\n")
    assert told(model, "--time", "1h,1d", "--chips", "2", *kept) == wanted
    written = path.read_text().splitlines()
    assert written[:2] == [head, first]
    assert written[2:4] == rest
    assert len(written) == 1 + 2 * 5
    with pytest.raises(InputError, match=r"results\.jsonl: members must be 2, or another file"):
        run(model, "--members", "2", *kept)


def test_a_study_travels(model: Path) -> None:
    """Pickled before or after it measured, it measures the same."""
    network = device.load(model)
    sets = device.images_of(data.SAMPLE, "mnist-1000", 20, 20)
    study = DeviceStudy(device.pcm(network, {"times": "1h"}), sets, 3, "affine")
    point = Point(case="1h", compensated=True, chip=2)
    before, expected = pickle.dumps(study), study(point)
    assert {len(values) for values in expected.values()} == {2}
    for each in (before, pickle.dumps(study)):
        assert pickle.loads(each)(point) == expected
    assert len(pickle.dumps(study)) == len(before)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_gives_the_same(model: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("distributed")
    options = ("--time", "1h", "--chips", "2")
    assert told(model, *options, "--scheduler", "local") == told(model, *options)
