"""From a component to Verilog text that starts alike in every simulator."""

from __future__ import annotations

import os
import re
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

__all__ = ["verilog_of"]

STYLE = ("WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE", "INITIALDLY")
"""What Verilator by default refuses in this text, and need not."""
TRIGGER = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+)  = 0;$", re.MULTILINE)


def verilog_of(component: wiring.Component, name: str, ports: dict[str, Any] | None = None) -> str:
    """Return `component` as Verilog 2005, the same text in every run.

    name : of the top module; the others are called ``name.…``. ports : name -> (value, direction or
    None); those of the signature, if None.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    text = verilog.convert(component, name=name, ports=ports, emit_src=False)
    # A process starts when something that it reads changes, so Yosys lets each read a register
    # that changes first of all, by the initial value of its declaration. In SystemVerilog that is
    # no change; an assignment at the end of the first time step is one in both languages.
    text = TRIGGER.sub(r"  reg \1 ;\n  initial \1  <= 0;", text)
    body = text.split("\n", 1)[1] if text.startswith("/*") else text
    off, on = ([f"// verilator lint_{state} {rule}" for rule in STYLE] for state in ("off", "on"))
    return "\n".join([*off, body.strip("\n"), *on, ""])
