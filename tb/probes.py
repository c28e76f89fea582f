"""Watch what every layer puts out, through hierarchical references from the bench."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Logits, Network, output_drive
from bbnn.schedule import neurons, transposed

DATA_PATH = "dut.data_path"
"""Where the layers' instances, named like the layers, are in the design.

Of each, "pool" is the last part, or "neurons" where nothing is pooled, or "transpose" where outputs
are brought into order. Outputs of another layer are added beside it.
"""


def probes(network: Network) -> str:
    """Return Verilog for `bench.v` that writes every transfer to the file ``+probes=``.

    A line is the layer's index and the payload: a logit, or the bits of a chunk, the last element
    first.
    """
    transfers = []
    for index, layer in enumerate(network.layers):
        # Escaped, since a layer may bear the name of a keyword, such as "output".
        part = "neurons" if layer.pool is None else "pool"
        part = "transpose" if transposed(layer) else part
        stream = f"{DATA_PATH}.\\{layer.name} .{part}.o__"
        if layer.adds is not None:
            stream = f"{DATA_PATH}.\\{layer.name}$sum .o__"
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


def outputs(network: Network, index: int, payloads: list[str], number: int) -> NDArray[np.int64]:
    """Return what layer `index` put out for its member `number`, flat, as `golden.network.trace`.

    It ends early where the core did, and where a payload holds unknown bits.
    """
    layer = network.layers[index]
    height, width, channels = layer.output_shape
    logits = isinstance(layer.neuron, Logits)
    vectors = height * width * (1 if logits else network.steps)
    chunks = -(-channels // neurons(layer))
    mine = payloads[number * vectors * chunks : (number + 1) * vectors * chunks]
    if logits:
        known = takewhile(lambda payload: payload.lstrip("-").isdigit(), mine)
        return np.array([int(logit) for logit in known], np.int64)
    drive = output_drive(network.layers[: index + 1])
    bits = drive.bits
    elements: list[str] = []
    for start in range(0, len(mine), chunks):
        vector = "".join(reversed(mine[start : start + chunks]))
        ends = range(len(vector), 0, -bits)
        elements += [vector[end - bits : end] for end in ends][:channels]
    known = takewhile(lambda element: set(element) <= {"0", "1"}, elements)
    values = np.array([int(element, 2) for element in known], np.int64)
    return values * 2 - 1 if drive.kind == "sign" else values
