"""Steps of a flow that are done once for what goes into them.

Beside the files lies ``steps.json``: for every step, a digest of what went in and one of each file
that came out. A step whose digests are all unchanged is not done again; one that was cut off or
whose files were touched is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Steps", "digest_of"]

RECORD = "steps.json"


class Steps:
    """The steps of one flow in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / RECORD
        self.done: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}

    def step(
        self,
        name: str,
        inputs: Sequence[Path],
        outputs: Sequence[str],
        action: Callable[[], None],
        settings: Any = None,
    ) -> bool:
        """Do `action`, which writes the files `outputs`, unless it was done; tell whether it was.

        inputs : files that it reads. settings : what else decides, anything that JSON can hold.
        """
        text = json.dumps([settings, [digest_of(path) for path in inputs]], sort_keys=True)
        inside = hashlib.sha256(text.encode()).hexdigest()
        if self.done.get(name) == self._entry(inside, outputs):
            return False
        self.done.pop(name, None)
        self._write()
        action()
        self.done[name] = self._entry(inside, outputs)
        self._write()
        return True

    def _entry(self, inside: str, outputs: Sequence[str]) -> dict[str, Any]:
        return {"in": inside, "out": {name: digest_of(self.folder / name) for name in outputs}}

    def _write(self) -> None:
        beside = self.folder / f"{RECORD}.part"
        beside.write_text(json.dumps(self.done, indent=2) + "\n")
        beside.replace(self.folder / RECORD)


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
