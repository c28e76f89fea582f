"""MC Scale-Dropout (arXiv:2311.15816): one stochastic unit for a model of any size.

A scale in front of a sign only moves its threshold, so a layer has two banks of thresholds and one
random bit per member chooses. Prints the banks, the random bits, the units in the generated
Verilog, and the quality.

    python examples/scale_dropout.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import re
import sys

from common import compare_with_one_member, told

from bbnn.description import Threshold
from hdl.generate import verilog_text

network, images = told(sys.argv, "mnist-scale")
unit = network.scale_dropout
assert unit is not None, "this model drops no scale"
banked = 0
for layer in network.layers:
    neuron = layer.neuron
    if isinstance(neuron, Threshold) and neuron.dropped is not None:
        moved = (neuron.thresholds != neuron.dropped).mean()
        print(f"{layer.name}: {layer.columns} neurons with two thresholds, {moved:.0%} different")
        banked += 1
text = verilog_text(network)
units = len(re.findall(r"^  \\\S+ +\\scale\$ +\($", text, re.MULTILINE))
print(f"scale dropped with probability {unit.code / 2**unit.bits:.2f}")
print(f"random decisions per member: {banked}; stochastic units in the Verilog: {units}")
compare_with_one_member(network, images)
