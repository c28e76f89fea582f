"""The sparsity-aware accelerator (arXiv:2411.07842): sample only what needs sampling.

Makes the layers of the MNIST network deterministic one after the other, from the front: all that
come before the first random one run once per image instead of once per member. Then keeps the most
random rows of every layer, 14 % of what is sampled. Prints what is left to sample and to compute,
and what that costs in quality.

    python examples/sparsity_aware.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys
from dataclasses import replace

from common import MEMBERS, compare_with_one_member, told

from bbnn.sparsity import operations, sampled_weights, sparsify

network, images = told(sys.argv, "mnist-conv")
network = replace(network, ensemble=replace(network.ensemble, members=MEMBERS))
whole = sum(map(sampled_weights, network.layers))
networks = {
    f"sampling from {layer.name} on": sparsify(network, 1.0, start=layer.name)
    for layer in network.layers
}
networks["sampling the most random rows"] = sparsify(network, 0.14)
for title, sparse in networks.items():
    print(
        f"\n{title}: {sum(map(sampled_weights, sparse.layers)):,} of {whole:,} weights sampled,"
        f" {operations(network) / operations(sparse):.2f} x fewer operations"
    )
    compare_with_one_member(sparse, images)
