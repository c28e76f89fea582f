"""What moving images and packets costs: by the DMA, and by the processor word for word.

    python -m boards.shell.traffic models/fashion-mlp.safetensors

simulates the shell and prints both. The processor's own part of an access is left out: its figures
are those of the bridge alone, which no processor can be faster than.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from bbnn import data
from bbnn.description import Network
from bbnn.interface import PIXELS_PER_BEAT, packet
from bbnn.model_file import load
from bbnn.schedule import image_cycles
from boards.driver import Accelerator
from boards.driver.simulation import Simulation
from boards.shell.describe import describe
from boards.shell.simulator import build

__all__ = ["accesses", "measure"]

MEMBERS = (1, 10)
COUNTS = (4, 12)
"""Images of two runs, whose difference is that of a steady stream."""


def accesses(network: Network, members: int, member_logits: bool) -> int:
    """Return the register accesses that an image costs where the processor moves every word."""
    words_in = -(-network.pixels // PIXELS_PER_BEAT)
    return words_in + sum(part.words for part in packet(network, members, member_logits))


def measure(network: Network, folder: Path) -> dict[str, Any]:
    """Return cycles of an access, and of an image by the DMA, for JSON; builds below `folder`."""
    images, _ = data.load(data.SAMPLE)
    with closing(Simulation(build(network, folder))) as simulation:
        accelerator = Accelerator(simulation, describe(network))
        cycles = {
            "read": _access(simulation, write=False),
            "write": _access(simulation, write=True),
        }
        rows = []
        for members in MEMBERS:
            spent = []
            for count in COUNTS:
                accelerator.predict(images[:count], members)
                spent.append(accelerator.busy_cycles)
            rows.append(
                {
                    "members": members,
                    "cycles_an_image": (spent[1] - spent[0]) / (COUNTS[1] - COUNTS[0]),
                    "cycles_of_the_core": image_cycles(network, members),
                    "accesses_without_dma": accesses(network, members, True),
                    "accesses_without_dma_and_members": accesses(network, members, False),
                }
            )
    return {"network": network.name, "cycles_of_an_access": cycles, "rows": rows}


def _access(simulation: Simulation, write: bool) -> float:
    """Return the cycles of a register access, the mean of some in a row."""
    count = 50
    started = simulation.cycles()
    for _ in range(count):
        if write:
            simulation.write(0x1010, 0)  # SOURCE
        else:
            simulation.read(0)
    return (simulation.cycles() - started) / count


if __name__ == "__main__":
    loaded = load(sys.argv[1])
    print(json.dumps(measure(loaded, Path("build") / loaded.name / "shell"), indent=2))
