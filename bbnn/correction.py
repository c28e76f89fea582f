"""Corrections of the logits: other scales and offsets for the last layer, in a file of their own.

The file is JSON: `format_version`, the network's `name`, and `scale` and `offset`, an integer a
class. Hardware whose constants are registers takes them at run time (``Logits.registers``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bbnn.description import Logits, Network
from bbnn.errors import InputError, require, require_int

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """Scale and offset of every class, as `Logits` has them."""

    scale: tuple[int, ...]
    offset: tuple[int, ...]

    @classmethod
    def of(cls, output: Logits) -> Correction:
        """Return the constants of an output neuron."""
        return cls(scale=tuple(output.scale.tolist()), offset=tuple(output.offset.tolist()))


def require_registers(network: Network) -> None:
    """Raise `InputError` if the hardware of `network` has no registers for a correction."""
    has = network.output.registers
    wanted = "true for a correction at run time (bbnn registers)"
    require(has, f"{network.name}: the output neuron's registers", wanted, has)


def ranges(network: Network) -> dict[str, tuple[int, int]]:
    """Return the smallest and the largest scale and offset that the registers take."""
    reach = network.layers[-1].reach * network.steps
    scale_bits, offset_bits = network.output.register_bits(reach)
    limit = 2 ** (offset_bits - 1)
    return {"scale": (0, 2**scale_bits - 1), "offset": (-limit, limit - 1)}


def corrected(network: Network, correction: Correction) -> Network:
    """Return the network that hardware of `network` is once `correction` is in its registers.

    Raise `InputError` if it has no such registers, or a constant does not fit its own.
    """
    require_registers(network)
    last = network.layers[-1]
    for name, (low, high) in ranges(network).items():
        values = getattr(correction, name)
        fits = len(values) == last.columns
        require(fits, name, f"{last.columns} integers, one a class", len(values))
        for index, value in enumerate(values):
            require_int(f"{name}[{index}]", value, low, high)
    # With constants, not registers: these would have bounds of their own.
    neuron = replace(
        network.output,
        scale=np.array(correction.scale, np.int32),
        offset=np.array(correction.offset, np.int32),
        registers=False,
    )
    return replace(network, layers=(*network.layers[:-1], replace(last, neuron=neuron)))


def save_correction(network: Network, correction: Correction, path: Path) -> None:
    """Write the file; it appears whole or not at all."""
    content = {
        "format_version": FORMAT_VERSION,
        "name": network.name,
        "scale": list(correction.scale),
        "offset": list(correction.offset),
    }
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(json.dumps(content, indent=2) + "\n")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"{path} must be writable, not refused: {error.strerror}") from None


def load_correction(network: Network, path: Path) -> Correction:
    """Return the correction in a file; raise `InputError` unless hardware of `network` takes it."""
    require(path.is_file(), f"correction file {path}", "an existing file", "missing")
    try:
        content: Any = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{path} must be JSON, not this: {error}") from None
    require(isinstance(content, dict), str(path), "a JSON object", content)
    version = content.get("format_version")
    require(version == FORMAT_VERSION, f"{path}: format_version", str(FORMAT_VERSION), version)
    name = content.get("name")
    require(name == network.name, f"{path}: name", network.name, name)
    values = {}
    for part in ("scale", "offset"):
        given = content.get(part)
        require(isinstance(given, list), f"{path}: {part}", "a list of integers", given)
        values[part] = tuple(given)
    correction = Correction(**values)
    try:
        corrected(network, correction)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return correction


def register_writes(correction: Correction) -> dict[str, int]:
    """Return what goes into which register (`bbnn.interface.correction_registers`)."""
    return {
        f"{name}_{index}": value & 0xFFFFFFFF
        for name, values in (("SCALE", correction.scale), ("OFFSET", correction.offset))
        for index, value in enumerate(values)
    }
