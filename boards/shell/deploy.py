"""The folder for a board: bitstream, driver, model, description, a notebook or a script, and images
with golden logits.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.correction import Correction
from bbnn.description import Network
from bbnn.errors import require
from bbnn.model_file import digest, save_network
from boards.driver.description import FILE
from boards.driver.verify import IMAGES
from boards.platforms import Board
from boards.shell.describe import describe
from boards.shell.notebook import notebook, script

__all__ = ["ABOUT", "SELF_TEST", "about", "deploy"]

ABOUT = "bitstream.json"
"""What `bbnn bitstream` writes beside the bitstream."""
DRIVER = Path(__file__).parents[1] / "driver"
NOT_DEPLOYED = ("simulation.py",)
SELF_TEST = 2
"""Images that the driver tries whenever it starts."""

ZYNQ = """\
# {name}

    sudo python3 -m boards.driver.verify

loads `{bit}` and compares {images} images, T = {members}, with the golden model. In Python, in this
folder:

    import numpy as np
    from boards.driver import Accelerator

    accelerator = Accelerator("{bit}")
    images = np.load("images.npz")["images"]
    prediction = accelerator.predict(images, members={members})
    print(prediction.labels, prediction.entropy, prediction.mutual_information)

The same is in the notebook `{name}.ipynb`. It needs NumPy, and PYNQ to load the bitstream. Without
PYNQ, load it by other means and name the address, `Accelerator(0x40000000)`, or the UIO device.
"""
LINE = """\
# {name}

    openFPGALoader -b {loader} {bit}
    python3 -m boards.driver.verify /dev/ttyUSB0

load `{bit}` through the USB cable of {title} and compare {images} images, T = {members}, with the
golden model, from the machine that the cable goes to. `python3 run.py /dev/ttyUSB0` predicts them,
and shows how. It needs NumPy.
"""


def about(bit: Path, network: Network) -> dict[str, Any]:
    """Return what is known of `bit`, empty if nothing is; raise if it has another model in it."""
    path = bit.with_name(ABOUT)
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text())
    if Path(content.get("bitstream", "")).name != bit.name:
        return {}
    found, expected = content["model_digest"][:8], digest(network)[:8]
    require(found == expected, f"{bit}: build", f"{expected}, that of {network.name}", found)
    return content


def deploy(
    network: Network,
    board: Board,
    bit: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    logits: NDArray[np.int64],
    tested: NDArray[np.int64],
    words: NDArray[np.int64],
    folder: Path,
    clock_mhz: float | None,
    correction: Correction | None = None,
) -> list[str]:
    """Write the folder, which must be new or empty; return the names of its files.

    logits : golden's, int64 (N, T, classes), of `images`, with the correction if there is one.
    tested : golden's without it, of the first of them. words : golden's, int64 (streams, count), of
    the random streams. The folder appears whole or not at all.
    """
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    require(not taken, str(folder), "a new folder", "one with files")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=folder.name, suffix=".part", dir=folder.parent))
    try:
        shutil.copyfile(bit, beside / bit.name)
        if bit.with_suffix(".hwh").is_file():
            shutil.copyfile(bit.with_suffix(".hwh"), beside / bit.with_suffix(".hwh").name)
        described = describe(
            network,
            board.family,
            clock_mhz=clock_mhz,
            test_images=images[: len(tested)],
            test_logits=tested,
            test_words=words,
            correction=correction,
        )
        (beside / FILE).write_text(json.dumps(described, indent=1) + "\n")
        np.savez_compressed(beside / IMAGES, images=images, labels=labels, logits=logits)
        save_network(network, beside / f"{network.name}.safetensors")
        facts = {
            **{"name": network.name, "bit": bit.name, "title": board.title},
            **{"images": len(images), "members": logits.shape[1], "loader": board.loader},
        }
        note = ZYNQ if board.family == "zynq" else LINE
        (beside / "README.md").write_text(note.format(**facts))
        if board.family == "zynq":
            (beside / f"{network.name}.ipynb").write_text(notebook(**facts))
        else:
            (beside / "run.py").write_text(script(**facts))
        (beside / "boards/driver").mkdir(parents=True)
        (beside / "boards/__init__.py").write_text('"""The host driver."""\n')
        for path in sorted(DRIVER.glob("*.py")):
            if path.name not in NOT_DEPLOYED:
                shutil.copyfile(path, beside / "boards/driver" / path.name)
        beside.chmod(0o755)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
