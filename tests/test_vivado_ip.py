"""The module that Vivado packages is the shell: the driver speaks to it under its other names."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.lib.wiring import Out

from boards import vivado
from boards.driver import Accelerator
from boards.platforms import board_named
from boards.shell import simulator
from boards.shell.axi3 import GP, HP
from boards.shell.describe import describe
from boards.shell.simulator import build, connect
from golden.network import logits
from networks import random_images, random_network
from test_driver import BUILDS

NETWORK = random_network(sizes=(64, 32, 4), probability_bits=(1, 1), lanes=((2, 2), (2, 2)))
NAME = NETWORK.name
ADAPTER = """
module shell(clk, rst, {names});
  input clk, rst;
{declarations}
  {module} ip(.aclk(clk), .aresetn(~rst), .led(), .irq(irq), {connections});
endmodule
"""


def as_shell(verilog: str) -> str:
    """Return the module of the IP with another around it that has the ports of the plain shell."""
    names, declared, connected = ["irq"], ["  output irq;"], []
    for prefix, (bus, ours) in {"s_axi": (GP, "in"), "m_axi": (HP, "out")}.items():
        for member, description in bus.members.items():
            name = f"{'gp0' if prefix == 's_axi' else 'hp0'}__{member}"
            out = (description.flow == Out) == (ours == "out")
            width: Any = description.shape
            bits = f"[{width - 1}:0] " if width > 1 else ""
            names.append(name)
            declared.append(f"  {'output' if out else 'input'} {bits}{name};")
            connected.append(f".{prefix}_{member}({name})")
    return verilog + ADAPTER.format(
        names=", ".join(names),
        declarations="\n".join(declared),
        module=NAME,
        connections=", ".join(connected),
    )


@pytest.mark.icarus
def test_the_driver_speaks_to_the_ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Verilog that is packaged, in the bench of the shell: every logit is golden's."""
    vivado.write_files(NETWORK, board_named("pynq-z2"), 100, tmp_path)
    text = as_shell((tmp_path / f"{NAME}.v").read_text())
    monkeypatch.setattr(simulator, "shell_verilog", lambda network, family: text)
    images = random_images(NETWORK, 3)
    with closing(connect(build(NETWORK, BUILDS, "icarus"), "zynq")) as backend:
        got = Accelerator(backend, describe(NETWORK)).predict(images, 2).integers
    expected = logits(NETWORK, images, 2).transpose(1, 0, 2)
    assert got.size == 24
    assert np.array_equal(got, expected)
