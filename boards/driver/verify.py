"""Hold the accelerator against the golden model's logits, on the board itself.

In a deploy folder: ``python3 -m boards.driver.verify`` loads the bitstream that lies there, runs
the images that lie there and compares every logit of every member.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from boards.driver.accelerator import Accelerator, Progress
from boards.driver.errors import DriverError, require

__all__ = ["IMAGES", "compare", "main", "summary"]

IMAGES = "images.npz"
"""Its name in a deploy folder: images, labels and golden logits (N, T, classes)."""


def compare(
    accelerator: Accelerator,
    images: np.ndarray,
    golden: np.ndarray,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Return how many of the golden logits, int64 (N, T, classes), the accelerator says, as JSON.

    images : uint8 (N, ...). Seconds are those of the backend, which a simulation counts in cycles.
    """
    count, members = golden.shape[:2]
    require(count > 0, "images to compare", "one at least", count)
    started = accelerator.backend.now()
    found = accelerator.predict(images, members, progress)
    seconds = accelerator.backend.now() - started
    equal = (found.integers.transpose(1, 0, 2) == golden).all(axis=2)
    wrong = np.argwhere(~equal)
    return {
        "network": accelerator.description.name,
        "model_digest": accelerator.description.digest,
        "images": count,
        "members": members,
        "equal": bool(equal.all()),
        "members_equal": int(equal.sum()),
        "members_compared": int(equal.size),
        "images_equal": int(equal.all(axis=1).sum()),
        "random_words_equal": accelerator.words_equal,
        "first_wrong": [int(i) for i in wrong[0]] if len(wrong) else None,
        "images_a_second": round(count / seconds, 1) if seconds else None,
        "labels": found.labels.tolist(),
    }


def summary(result: dict[str, Any]) -> str:
    """Return a result of `compare` as a line."""
    line = "members equal {members_equal}/{members_compared}, images equal {images_equal}/{images}"
    if result["random_words_equal"]:
        # Each of them, or the accelerator would not have been opened.
        line += ", random words equal {random_words_equal}/{random_words_equal}"
    if result["first_wrong"]:
        line += "; first wrong: image {}, member {}".format(*result["first_wrong"])
    return line.format(**result)


def main(arguments: list[str] | None = None) -> int:
    """Run it; 0 if all is equal, 1 if not, 2 if something is not what it must be."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    help_ = "a .bit file, an address or a device; the only .bit file here, if none is said"
    parser.add_argument("target", nargs="?", help=help_)
    parser.add_argument("--images", default=IMAGES, help="images and golden logits [%(default)s]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    try:
        images, labels, golden = _load(Path(chosen.images))
        with Accelerator(_target(chosen.target)) as accelerator:
            result = compare(accelerator, images, golden)
    except DriverError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    result["accuracy"] = float((np.array(result.pop("labels")) == labels).mean())
    print(json.dumps(result, indent=2) if chosen.json else summary(result))
    return 0 if result["equal"] else 1


def _load(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    require(path.is_file(), str(path), "a file of images", "missing")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"], arrays["logits"].astype(np.int64)


def _target(said: str | None) -> str | int:
    if said is None:
        found = sorted(map(str, Path().glob("*.bit")))
        require(len(found) == 1, "the folder", "one with a single .bit file", found or "without")
        return found[0]
    try:
        return int(said, 0)
    except ValueError:
        return said


if __name__ == "__main__":
    sys.exit(main())
