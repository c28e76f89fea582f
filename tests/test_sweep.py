"""Sweeps: what is kept, what is measured again, what is refused; on Dask where it is installed."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.errors import InputError
from bbnn.sweep import Store, sweep
from golden.studies.figures import Sets
from golden.studies.noise_plane import NoisePlaneStudy, Plane
from golden.studies.noise_plane import Point as PlanePoint
from networks import random_images, random_network

SETTINGS = {"study": "squares", "images": 3}


@dataclass(frozen=True, slots=True)
class Point:
    seed: int


class Squares:
    """A study that breaks off at its `last` point."""

    def __init__(self, last: int = 99) -> None:
        self.last = last
        self.seen: list[int] = []

    def __call__(self, point: Point) -> dict[str, Any]:
        if point.seed == self.last:
            raise KeyboardInterrupt
        self.seen.append(point.seed)
        return {"root": float(np.sqrt(point.seed)), "list": [point.seed]}


POINTS = [Point(seed) for seed in range(5)]
EXPECTED = {point: Squares()(point) for point in POINTS}


def store(path: Path | None = None, **other: Any) -> Store:
    return Store(path, SETTINGS | other)


def test_results_and_progress() -> None:
    done: list[int] = []
    assert sweep(Squares(), POINTS, store(), advance=done.append) == EXPECTED
    assert sum(done) == len(POINTS)


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    """What was finished is kept, not measured again, and equal to the last digit."""
    path = tmp_path / "results.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sweep(Squares(last=3), POINTS, store(path))
    assert list(tmp_path.iterdir()) == [path]
    assert len(path.read_text().splitlines()) == 4
    rest, done = Squares(), list[int]()
    assert sweep(rest, POINTS, store(path), advance=done.append) == EXPECTED
    assert rest.seen == [3, 4]
    assert sum(done) == len(POINTS)
    assert sweep(Squares(last=0), POINTS, store(path)) == EXPECTED
    more = [*POINTS, Point(7)]
    assert list(sweep(Squares(), more, store(path))) == more


def test_files_are_whole_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written beside the old one leaves the old one, and nothing else."""
    path = tmp_path / "results.jsonl"
    sweep(Squares(), POINTS[:2], store(path))
    before = path.read_bytes()

    def refuse(*arguments: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        sweep(Squares(), POINTS, store(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_results_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sweep(Squares(), POINTS[:1], store(path))
    with pytest.raises(
        InputError, match=r"results.jsonl: images must be 4, or another file, not 3"
    ):
        store(path, images=4)
    with pytest.raises(InputError, match=r"results.jsonl: extra must be 1, or another file"):
        store(path, extra=1)
    for text in ("", "1\n", "{}\n", "half a li", json.dumps({"study": SETTINGS}) + '\n{"point":'):
        path.write_text(text)
        with pytest.raises(InputError, match="must be results of a study, not something else"):
            store(path)
    with pytest.raises(InputError, match="--results must be a file in an existing folder"):
        store(tmp_path / "none" / "results.jsonl")


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install; nothing has been measured."""

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    study = Squares()
    with pytest.raises(
        InputError, match=r"--scheduler must be left out where Dask is missing"
    ) as told:
        sweep(study, POINTS, store(), "local")
    assert "\n" not in str(told.value)
    assert study.seen == []


def test_studies_travel() -> None:
    """A pickled study measures the same, and its results are the same through JSON."""
    network = random_network()
    sets = Sets(
        images=random_images(network, 6),
        labels=np.arange(6) % 4,
        ood=random_images(network, 6, seed=3),
    )
    study = NoisePlaneStudy(network=network, sets=sets, members=2, word_members=3)
    point = PlanePoint(plane=Plane(probability_bits=1, row_bits=8), seed=1)
    result = study(point)
    assert pickle.loads(pickle.dumps(study))(pickle.loads(pickle.dumps(point))) == result
    assert json.loads(json.dumps(result, allow_nan=False)) == result


class Deadly:
    """A study whose worker dies the first time it meets a point of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, point: Point) -> dict[str, Any]:
        if point.seed == 2:
            try:
                (self.folder / "died").touch(exist_ok=False)
                os._exit(1)
            except FileExistsError:
                pass
        return Squares()(point)


@pytest.fixture
def dask() -> Any:
    """Return the optional package that the sweep runs on; its own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("distributed")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_gives_the_same_and_loses_nothing(dask: Any, tmp_path: Path) -> None:
    """On two processes of this machine, one of which is killed in the middle."""
    path = tmp_path / "results.jsonl"
    with dask.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        found = sweep(Deadly(tmp_path), POINTS, store(path), cluster.scheduler_address)
    assert found == EXPECTED
    assert list(found) == POINTS
    assert (tmp_path / "died").exists()
    assert sweep(Squares(last=0), POINTS, store(path)) == EXPECTED


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_that_does_not_answer(dask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bbnn.sweep.SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:9"):
        with pytest.raises(InputError, match="--scheduler must be local or the address") as told:
            sweep(Squares(), POINTS, store(), address)
        assert "\n" not in str(told.value)
