"""The notebook of a deploy folder, and the script that takes its place without a processor."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["notebook", "script"]

TITLE = """\
# {name} on {title}

Images go to the accelerator, and every member's exact logits come back. The bitstream, the driver
and the images lie in this folder; run the notebook as root, who may load bitstreams."""
OPEN = """\
import numpy as np
from boards.driver import Accelerator

accelerator = Accelerator({target})"""
PREDICT = """\
with np.load("images.npz") as arrays:
    images, labels, golden = arrays["images"], arrays["labels"], arrays["logits"]
prediction = accelerator.predict(images, members={members})
right = prediction.labels == labels
print(f"accuracy: {{right.mean():.3f}} of {{len(images)}} images")"""
COMPARE = """\
from boards.driver.verify import compare, summary

print(summary(compare(accelerator, images, golden)))"""
UNSURE = """\
print("the images that it is least sure of: entropy and mutual information in nats")
for index in np.argsort(-prediction.entropy)[:5]:
    unsure = prediction.entropy[index], prediction.mutual_information[index]
    print(index, prediction.classes[prediction.labels[index]], "%.2f %.2f" % unsure)"""
CLOSE = "accelerator.close()"
TEXTS = {
    "Loading tests the random streams and two images against golden.": OPEN,
    "What the ensemble says.": PREDICT,
    "Every logit of every member, against the golden model.": COMPARE,
    "Where it is unsure, and how far that is because the members disagree.": UNSURE,
    "Let go of the board.": CLOSE,
}
"""What stands above each piece of code."""


def notebook(*, bit: str, **facts: Any) -> str:
    """Return the notebook as JSON of its format 4.4, which knows no ids of cells.

    facts : name, title, members.
    """
    cells: list[dict[str, Any]] = [_cell("markdown", TITLE.format(**facts))]
    for text, code in TEXTS.items():
        cells.append(_cell("markdown", text))
        cells.append(_cell("code", code.format(target=f'"{bit}"', **facts)))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(content, indent=1) + "\n"


def script(**facts: Any) -> str:
    """Return the same as a script whose argument is the serial port; facts as of `notebook`."""
    head = f'"""{facts["name"]} on {facts["title"]}: python3 run.py /dev/ttyUSB0"""\n\nimport sys\n'
    pieces = [
        f"# {text}\n{code.format(target='sys.argv[1]', **facts)}\n" for text, code in TEXTS.items()
    ]
    return "\n".join([head, *pieces])


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
