"""The Bayesian binary spiking accelerator (arXiv:2401.15453): spikes, Bernoulli weights, few steps.

Converts a network of quantised ReLUs into one of integrate-and-fire neurons and prints, for several
numbers of time steps, its quality and how much happens in it.

    python examples/bayesian_snn.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys

from common import compare_with_one_member, told

from bbnn import data
from bbnn.convert import convert
from golden.events import events, summary

EVENT_IMAGES = 20

levels, images = told(sys.argv, "mnist-levels")
print(f"{levels.name}, before conversion")
compare_with_one_member(levels, images)
for steps in (1, 2, 3, 4):
    network = convert(levels, steps)
    print(f"\n{network.name}, {steps} steps")
    compare_with_one_member(network, images)
    counted = summary(events(network, data.load("mnist-1000")[0][:EVENT_IMAGES], 2))
    spikes, additions = counted["spikes"]["mean"], counted["synaptic_events"]["mean"]
    print(f"  per inference: {spikes:,.0f} spikes, {additions:,.0f} additions that they cause")
