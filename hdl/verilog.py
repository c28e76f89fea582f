"""From a component to Verilog text that starts alike in every simulator."""

from __future__ import annotations

import os
import re
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

__all__ = ["verilog_of"]

LINT = ("WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE", "INITIALDLY")
"""What Verilator says of Yosys' style, and need not."""
TRIGGER = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+)  = 0;$", re.MULTILINE)
NO_BITS = re.compile(r"^  (?:reg|wire) \[-1:0\] \S+ *;\n", re.MULTILINE)


def verilog_of(component: wiring.Component, name: str, ports: dict[str, Any] | None = None) -> str:
    """Return `component` as Verilog 2005, the same text in every run.

    name : of the top module; the others are called ``name.…``. ports : name -> (value, direction or
    None); those of the signature, if None.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    text = verilog.convert(component, name=name, ports=ports, emit_src=False)
    # Every process waits for a change of what it reads, and Yosys gives it a register that changes
    # first of all. Read as SystemVerilog, an initial value in a declaration is no change: assigned
    # at the end of the first time step, it is one in both languages.
    text = TRIGGER.sub(r"  reg \1 ;\n  initial \1  <= 0;", text)
    # A signal without bits is never read, but declared with two.
    text = NO_BITS.sub("", text)
    assert "[-1:0]" not in text, f"{name} has a port without bits"
    off, on = ([f"// verilator lint_{state} {rule}" for rule in LINT] for state in ("off", "on"))
    body = text.split("\n", 1)[1] if text.startswith("/*") else text
    return "\n".join([*off, body.strip("\n"), *on, ""])
