"""What changes in Yosys' netlist before nextpnr places and routes it: nothing that it computes."""

from __future__ import annotations

import json
from pathlib import Path

from boards import fanout, single_port

__all__ = ["SOURCES", "make_placeable"]

SOURCES = tuple(
    Path(__file__).with_name(f"{name}.py") for name in ("fanout", "placeable", "single_port")
)
"""What decides how."""


def make_placeable(path: Path, top: str, limit: int = fanout.LIMIT) -> set[str]:
    """Change module `top` of the netlist in `path`, Yosys' JSON; return the types of its cells.

    Memories of one port share slices (`boards.single_port`), and nothing drives more than `limit`
    pins (`boards.fanout`).
    """
    netlist = json.loads(path.read_text())
    module = netlist["modules"][top]
    single_port.join(module)
    fanout.spread(module, limit)
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(netlist))
    beside.replace(path)
    return {cell["type"] for cell in module["cells"].values()}
