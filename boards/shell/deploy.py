"""The folder that goes to a board: bitstream, driver, description, images with golden logits."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.errors import require
from bbnn.model_file import digest
from boards.driver.description import FILE
from boards.driver.verify import IMAGES
from boards.shell.describe import describe

__all__ = ["ABOUT", "about", "deploy"]

ABOUT = "bitstream.json"
"""What `bbnn bitstream` writes beside the bitstream."""
DRIVER = Path(__file__).parents[1] / "driver"
NOT_DEPLOYED = ("simulation.py",)
SELF_TEST = 2
"""Images that the driver tries whenever it starts."""

NOTE = """\
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

It needs NumPy, and PYNQ to load the bitstream. Without PYNQ, load it by other means and name the
address, `Accelerator(0x40000000)`, or the UIO device.
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
    bit: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    logits: NDArray[np.int64],
    words: NDArray[np.int64],
    folder: Path,
    clock_mhz: float | None,
) -> list[str]:
    """Write the folder, which must be new or empty; return the names of its files.

    logits : golden's, int64 (N, T, classes), of `images`. words : golden's, int64 (streams, count),
    of the random streams. The folder appears whole or not at all.
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
            clock_mhz=clock_mhz,
            test_images=images[:SELF_TEST],
            test_logits=logits[:SELF_TEST],
            test_words=words,
        )
        (beside / FILE).write_text(json.dumps(described, indent=1) + "\n")
        np.savez_compressed(beside / IMAGES, images=images, labels=labels, logits=logits)
        facts = {"name": network.name, "bit": bit.name, "images": len(images)}
        (beside / "README.md").write_text(NOTE.format(**facts, members=logits.shape[1]))
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
