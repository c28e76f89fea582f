"""Measure many points, one after the other or on many machines, and go on where it was broken off.

A study is a function of a point: what it returns depends on the point alone, seeds included, so
where and in what order points are measured changes nothing.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bbnn.errors import InputError, require

Result = dict[str, Any]
P = TypeVar("P", bound=Hashable)
LOCAL = "local"
SECONDS = 10
"""To wait for a scheduler."""
RETRIES = 3
"""Times that a point is measured again whose worker was lost or failed."""


class Store:
    """Results of finished points in a file of JSON lines, the first of which says of what study.

    The file is whole at any time: it is written beside and renamed. Raise `InputError` if it holds
    another study's results. path : None keeps nothing.
    """

    def __init__(self, path: Path | None, study: Result) -> None:
        self._path = path
        self._lines = [_line({"study": study})]
        self._results: dict[str, Result] = {}
        if path is None:
            return
        require(path.parent.is_dir(), "--results", "a file in an existing folder", str(path))
        if not path.exists():
            return
        try:
            first, *rest = path.read_text().splitlines()
            held = json.loads(first)["study"]
            self._results = {_line(each["point"]): each["result"] for each in map(json.loads, rest)}
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path} must be results of a study, not something else") from None
        for name in study.keys() | held.keys():
            ours, theirs = json.loads(_line(study)).get(name), held.get(name)
            require(ours == theirs, f"{path}: {name}", f"{ours!r}, or another file", theirs)
        self._lines += rest

    def get(self, point: Any) -> Result | None:
        """Return the result of a point, None if it is not there."""
        return self._results.get(_line(asdict(point)))

    def put(self, point: Any, result: Result) -> None:
        """Keep the result of a point."""
        if self._path is None:
            return
        self._lines.append(_line({"point": asdict(point), "result": result}))
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_text("".join(f"{line}\n" for line in self._lines))
            beside.replace(self._path)
        finally:
            beside.unlink(missing_ok=True)


def sweep(
    study: Callable[[P], Result],
    points: Sequence[P],
    store: Store,
    scheduler: str | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> dict[P, Result]:
    """Return the result of every point.

    points : frozen dataclasses of plain fields. study : fit to be pickled, its results for JSON.
    store : its points are not measured again; each other is kept there as soon as it is measured.
    scheduler : None measures here, "local" on a Dask cluster of this machine's processors, and
    an address on the cluster of that Dask scheduler. advance : called with points done.
    Raise `InputError` if Dask is not installed or the scheduler does not answer.
    """
    found = {point: store.get(point) for point in points}
    results = {point: result for point, result in found.items() if result is not None}
    advance(len(results))
    missing = [point for point in found if point not in results]

    def keep(point: P, result: Result) -> None:
        results[point] = result
        store.put(point, result)
        advance(1)

    if scheduler is None:
        for point in missing:
            keep(point, study(point))
    elif missing:
        _on_dask(study, missing, scheduler, keep)
    return {point: results[point] for point in points}


def _on_dask(
    study: Callable[[P], Result],
    points: Sequence[P],
    scheduler: str,
    keep: Callable[[P, Result], None],
) -> None:
    try:
        dask = importlib.import_module("distributed")
    except ImportError:
        message = "--scheduler must be left out where Dask is missing: pip install '.[sweep]'"
        raise InputError(message) from None
    try:
        client = (
            dask.Client(threads_per_worker=1, processes=True, dashboard_address=None)
            if scheduler == LOCAL
            else dask.Client(scheduler, timeout=SECONDS)
        )
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        message = (
            f"--scheduler must be {LOCAL} or the address of a Dask scheduler, not {scheduler!r}"
        )
        raise InputError(f"{message}: {reason}") from None
    with client:
        # A task of its own, sent once; unlike scattered data it outlives the worker that holds it.
        shared = client.submit(_same, study, pure=False)
        futures = {
            client.submit(_measured, shared, point, pure=False, retries=RETRIES): point
            for point in points
        }
        for future in dask.as_completed(list(futures)):
            keep(futures[future], future.result())


def _same(study: Callable[[P], Result]) -> Callable[[P], Result]:
    return study


def _measured(study: Callable[[P], Result], point: P) -> Result:
    return study(point)


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
