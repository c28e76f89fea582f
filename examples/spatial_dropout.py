"""MC Spatial-Dropout (arXiv:2306.10185): whole feature maps are dropped, at their word lines.

Prints for every layer the decisions per member beside those of element-wise dropout, 9 times as
many for 3 x 3 kernels, and the quality.

    python examples/spatial_dropout.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys

from common import compare_with_one_member, told

network, images = told(sys.argv, "mnist-spatial")
for layer in network.layers:
    if layer.dropout is not None:
        probability = layer.dropout.code / 2**layer.dropout.bits
        print(
            f"{layer.name}: {layer.maps:,} maps dropped with probability {probability:.2f};"
            f" element-wise {layer.rows:,}, {layer.rows / layer.maps:.0f} times as many"
        )
compare_with_one_member(network, images)
