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
ZEROS = re.compile(
    r"^  reg \[\d+:0\] (?P<name>\S+ ?) \[(?P<last>\d+):0\];\n"
    r"  initial begin\n(?:    .+\] = (?P<zero>\d+'[hd]0+);\n)+  end\n",
    re.MULTILINE,
)
"""A memory all of whose words begin as 0."""
LARGE = 4096
"""Words from which on initial values are too many lines: Yosys takes minutes for 32,768."""
LOOP = """\
`ifndef SYNTHESIS
  initial begin : {block}
    integer word;
    for (word = 0; word <= {last}; word = word + 1) {name}[word] = {zero};
  end
`endif
"""


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
    text = "endmodule".join(ZEROS.sub(_loop, module) for module in text.split("endmodule"))
    body = text.split("\n", 1)[1] if text.startswith("/*") else text
    off, on = ([f"// verilator lint_{state} {rule}" for rule in STYLE] for state in ("off", "on"))
    return "\n".join([*off, body.strip("\n"), *on, ""])


def _loop(memory: re.Match[str]) -> str:
    """Return a large memory that is written, and begins as 0, without a line a word.

    Simulators get a loop. Synthesis gets nothing: a part's memories are 0 where nothing is said,
    and no word is used before it is written.
    """
    name = memory["name"]
    written = re.compile(rf"^ +{re.escape(name)}\[.+\] <= ", re.MULTILINE)
    if int(memory["last"]) < LARGE or not written.search(memory.string):
        return memory[0]
    block = re.sub(r"\W", "_", name.strip()) + "_zero"
    loop = LOOP.format(block=block, last=memory["last"], name=name, zero=memory["zero"])
    return memory[0].split("\n", 1)[0] + "\n" + loop
