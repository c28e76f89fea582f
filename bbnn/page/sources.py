"""Where a page's figures come from: the command of each section, and the file of its JSON.

The page shows with every figure the command that prints it again. That command is made from what
the JSON says of itself, so it is right however the file came about.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbnn.errors import InputError, require

Told = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A command whose JSON a page shows.

    words : of the command, as in ("study", "members"). options : those that make the command print
    this JSON again. quick : whether it takes no more than a minute or two on a shipped network.
    """

    words: tuple[str, ...]
    options: Callable[[Told], Sequence[object]]
    quick: bool

    @property
    def name(self) -> str:
        """The last word, which is the name of the file, too."""
        return self.words[-1]

    def command(self, model: Path, told: Told | None = None) -> str:
        """Return the line that prints `told`, or the one to begin with."""
        options = self.options(told) if told else ()
        words = ("bbnn", *self.words, model, *options, "--json")
        return shlex.join(map(str, words))


def _evaluate(told: Told) -> list[object]:
    ood = [word for name in told["ood"] for word in ("--ood", name)]
    average = [] if told["average"] == "softmax" else ["--average", told["average"]]
    return ["--dataset", told["dataset"], *ood, *_sizes(told), *average]


def _members(told: Told) -> list[object]:
    most, seeds = len(told["members"]), told["seeds"]
    of = ["--dataset", told["dataset"], "--images", told["images"], "--most", most]
    return [*of, "--reference", told["reference"], "--seed", seeds[0], "--seeds", len(seeds)]


def _cycles(told: Told) -> list[object]:
    return ["--dataset", told["dataset"], *_sizes(told)]


def _project(told: Told) -> list[object]:
    flags = [f"--{name}" for name, is_set in told["mode"].items() if is_set]
    of = ["--technology", told["technology"], "--node", f"{told['node_nm']:g}nm"]
    return [*of, *flags, "--members", told["members"]]


def _sizes(told: Told) -> list[object]:
    return ["--images", told["images"], "--members", told["members"]]


SOURCES = {
    source.name: source
    for source in (
        Source(words=("evaluate",), options=_evaluate, quick=True),
        Source(words=("study", "members"), options=_members, quick=False),
        Source(words=("cycles",), options=_cycles, quick=True),
        Source(words=("synth",), options=lambda told: ["--part", told["part"]], quick=False),
        Source(words=("project",), options=_project, quick=True),
    )
}
"""By name, in the order of the page."""


def read(folder: Path, digest: str) -> dict[str, Any]:
    """Return the JSON of every source that `folder` has, by name.

    Raise `InputError` on a file that is no JSON object, or of another model than that of `digest`.
    """
    return {
        name: _read(path, digest) for name in SOURCES if (path := folder / f"{name}.json").is_file()
    }


def _read(path: Path, digest: str) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} must be JSON, not this: {error}") from None
    require(isinstance(told, dict), str(path), "a JSON object", type(told).__name__)
    found = told.get("digest")
    short = found[:12] if isinstance(found, str) else found
    require(found == digest, f"{path}: digest", f"that of the model, {digest[:12]}", short)
    return dict(told)
