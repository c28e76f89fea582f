"""Watch what every layer puts out, through hierarchical references from the bench."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Logits, Network
from bbnn.schedule import neurons

DATA_PATH = "dut.data_path"
"""Where the layers' instances, named like the layers, are in the design; "neurons" ends each."""


def probes(network: Network) -> str:
    """Return Verilog for `bench.v` that writes every transfer to the file ``+probes=``.

    A line is the layer's index and the payload: a logit, or the neurons' bits, the last one first.
    """
    transfers = []
    for index, layer in enumerate(network.layers):
        # Escaped, since a layer may bear the name of a keyword, such as "output".
        stream = f"{DATA_PATH}.\\{layer.name} .neurons.o__"
        signed = isinstance(layer.neuron, Logits)
        payload = f"$signed({stream}payload)" if signed else f"{stream}payload"
        line = f'"{index} {"%0d" if signed else "%b"}\\n"'
        transfers.append(
            f"    if ({stream}valid === 1 && {stream}ready === 1)"
            f" $fwrite(probe_file, {line}, {payload});"
        )
    return "\n".join(
        [
            "reg [8*1024-1:0] probe_path;",
            'initial if (!$value$plusargs("probes=%s", probe_path)) probe_path = "";',
            "integer probe_file;",
            "reg probing = 0;",
            "always @(posedge clk) begin",
            '  if (go && !probing) probe_file = $fopen(probe_path, "w");',
            "  if (!go && probing) $fclose(probe_file);",
            "  probing <= go;",
            "  if (go && probing) begin",
            *transfers,
            "    $fflush(probe_file);",
            "  end",
            "end\n",
        ]
    )


def transfers(path: Path) -> dict[int, list[str]]:
    """Return the payloads that each layer put out, by the layer's index, in order."""
    result: dict[int, list[str]] = defaultdict(list)
    with path.open() as lines:
        for line in lines:
            index, payload = line.split()
            result[int(index)].append(payload)
    return result


def vector(layer: Layer, payloads: list[str], number: int) -> NDArray[np.int64]:
    """Return the outputs in a layer's vector `number`, shape (columns,): +-1, or logits.

    It ends early where the core did, and where a payload holds unknown bits.
    """
    lanes = neurons(layer)
    length = -(-layer.columns // lanes)
    mine = payloads[number * length : (number + 1) * length]
    if isinstance(layer.neuron, Logits):
        elements = mine
    else:
        elements = [bit for payload in mine for bit in reversed(payload)][: layer.columns]
    known = list(takewhile(lambda element: element.lstrip("-").isdigit(), elements))
    values = np.array(known, np.int64)
    return values if isinstance(layer.neuron, Logits) else values * 2 - 1
