"""Bayes2IMC (arXiv:2411.07902): every weight a Bernoulli variable, drawn anew for each member.

A convolutional network on MNIST. Prints what has to be drawn per inference, how the members'
averaged answer beats a single one, and how sure it is of digits and of clothes.

    python examples/bayes2imc.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys

from common import compare_with_one_member, told

network, images = told(sys.argv, "mnist-conv")
weights = sum(layer.codes.size for layer in network.layers)
coins = sum(layer.stochastic_weights for layer in network.layers)
drawn = sum(layer.noise_bits for layer in network.layers)
print(f"{network.name}: {weights:,} weights, {coins / weights:.1%} of them coins")
print(f"random bits per member: {drawn:,}, shared along rows and columns, instead of {weights:,}")
compare_with_one_member(network, images)
print("the same in hardware, bit for bit: bbnn simulate models/mnist-conv.safetensors --images 2")
