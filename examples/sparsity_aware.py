"""The sparsity-aware accelerator (arXiv:2411.07842): sample only what needs sampling.

Makes the layers of the MNIST network deterministic one after the other, from the front: all that
come before the first random one run once per image instead of once per member. Of the others it
samples all rows, or the most random ones, 14 % of what the network samples. Prints what is left to
sample and to compute, and what that costs in quality.

    python examples/sparsity_aware.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys
from dataclasses import replace

from common import MEMBERS, compare_with_one_member, told

from bbnn.sparsity import operations, sampled_weights, sparsify

network, images = told(sys.argv, "mnist-conv")
network = replace(network, ensemble=replace(network.ensemble, members=MEMBERS))
for layer in network.layers:
    for budget in (1.0, 0.14):
        sparse = sparsify(network, budget, start=layer.name)
        print(
            f"\nsampling from {layer.name} on: {sum(map(sampled_weights, sparse.layers)):,} weights"
            f" sampled, {operations(network) / operations(sparse):.2f} x fewer operations"
        )
        compare_with_one_member(sparse, images)
