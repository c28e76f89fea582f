"""What the driver must know of a network, as the one JSON file that goes to the board with it."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.correction import Correction, ranges
from bbnn.description import Network
from bbnn.interface import as_json, seed_registers
from bbnn.model_file import digest
from bbnn.schedule import member_cycles
from boards.platforms.board import Family
from boards.shell.codes import code_bytes
from boards.shell.interface import BASE, CORE, DMA, dma_registers
from boards.uart.protocol import BAUD

__all__ = ["FORMAT_VERSION", "describe"]

FORMAT_VERSION = 1


def describe(
    network: Network,
    family: Family = "zynq",
    *,
    clock_mhz: float | None = None,
    test_images: NDArray[np.uint8] | None = None,
    test_logits: NDArray[np.int64] | None = None,
    test_words: NDArray[np.int64] | None = None,
    correction: Correction | None = None,
) -> dict[str, Any]:
    """Return the description of `network` behind the shell of `family`, for JSON.

    clock_mhz : what the bitstream was made for, None where it is set otherwise. test_images, uint8
    (N, pixels), and test_logits, golden's int64 (N, T, classes) : what the driver tries first.
    test_words : golden's int64 (streams, count), with which it tests the random streams.
    correction : of the logits, which it loads after these tests.
    """
    tables = as_json(network)
    codes = code_bytes(network)
    description: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": network.name,
        "model_digest": digest(network),
        "input_shape": list(network.input_shape),
        "classes": list(network.classes),
        "fraction_bits": network.output.fraction_bits,
        "members": network.ensemble.members,
        "max_members": network.max_members,
        "cycles_per_member": member_cycles(network),
        "clock_mhz": clock_mhz,
        "base": BASE,
        "registers": {
            "core": [_placed(register, CORE) for register in tables["registers"]],
            "dma": [
                {
                    "name": register.name,
                    "address": DMA + register.address,
                    "reset": register.reset,
                    "bits": {name: bit for name, (bit, _) in register.bits.items()},
                }
                for register in dma_registers(streamed=bool(codes))
            ],
        },
        "seeds": {register.name: register.reset for register in seed_registers(network)},
        "packet": [
            {key: part[key] for key in ("name", "words", "words_per_member", "signed")}
            for part in tables["packet"]
        ],
    }
    if family != "zynq":
        del description["registers"]["dma"]
        description |= {"base": 0, "baud": BAUD}
    if codes:
        description["codes"] = base64.b64encode(codes).decode()
    if network.output.registers:
        description["constants"] = {name: list(ends) for name, ends in ranges(network).items()}
    if test_images is not None and test_logits is not None:
        description["self_test"] = {
            "images": test_images.reshape(len(test_images), -1).tolist(),
            "logits": test_logits.tolist(),
        }
    if test_words is not None:
        description["random_words"] = test_words.tolist()
    if correction is not None:
        description["correction"] = asdict(correction)
    return description


def _placed(register: dict[str, Any], offset: int) -> dict[str, Any]:
    kept = {key: register[key] for key in ("name", "address", "reset", "bits")}
    return {**kept, "address": offset + register["address"]}
