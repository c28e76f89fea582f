"""Neurons: what a column does with its sum y. Four kinds, all of them integers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bbnn.description.checks import Integers, require_vector
from bbnn.errors import require, require_int

LOGIT_LIMIT = 2**31
"""Sums of logits leave the hardware in 32-bit words, so every sum stays below this."""
SCALE_BITS = 16
SCALE_LIMIT = 2**SCALE_BITS - 1
"""Scales have 16 bits: products stay sums of at most 16 shifted copies."""
POTENTIAL_LIMIT = 2**31 - 1
MAX_CORRECTED = 256
"""Classes whose scales and offsets have addresses."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Threshold:
    """Hidden neuron: +1 where ``y >= thresholds[j]``, else -1.

    thresholds : integers, shape (columns,), each within the reach of the sum or one above it.
    dropped : the same for members whose scale is dropped (MC Scale-Dropout: the scale is folded
        into the thresholds, so that one random bit chooses between two banks); None without.
    """

    thresholds: Integers
    dropped: Integers | None = None

    def check(self, columns: int, reach: int) -> None:
        """Raise `InputError` unless this fits a layer's columns and the reach of its sums."""
        require_vector("thresholds", self.thresholds, columns, -reach, reach + 1)
        if self.dropped is not None:
            require_vector("dropped", self.dropped, columns, -reach, reach + 1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quantised:
    """Quantised ReLU: ``clip(floor((scale[j] * y + offset[j]) / 2**shift), 0, 2**bits - 1)``.

    scale : integers 0..65535, shape (columns,); offset : integers, same shape. shift : 0..31.
    bits : of the unsigned output, 1..8.
    """

    scale: Integers
    offset: Integers
    shift: int
    bits: int

    def check(self, columns: int, reach: int) -> None:
        """Raise `InputError` unless this fits a layer's columns."""
        require_vector("scale", self.scale, columns, 0, SCALE_LIMIT)
        require_vector("offset", self.offset, columns, -LOGIT_LIMIT, LOGIT_LIMIT - 1)
        require_int("shift", self.shift, 0, 31)
        require_int("bits", self.bits, 1, 8)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spiking:
    """Integrate-and-fire, soft reset; the membrane v starts anew with every member.

    In each time step ``v = v + y * 2**fraction_bits + bias[j]``; where ``v >= thresholds[j]`` the
    output is a spike, 1, and ``v = v - thresholds[j]``; elsewhere it is 0.

    thresholds : integers, at least 1, shape (columns,). start : first v; bias : same shape.
    fraction_bits : 0..16.
    """

    thresholds: Integers
    start: Integers
    bias: Integers
    fraction_bits: int

    def check(self, columns: int, reach: int) -> None:
        """Raise `InputError` unless this fits a layer's columns."""
        require_vector("thresholds", self.thresholds, columns, 1, POTENTIAL_LIMIT)
        require_vector("start", self.start, columns, -POTENTIAL_LIMIT, POTENTIAL_LIMIT)
        require_vector("bias", self.bias, columns, -POTENTIAL_LIMIT, POTENTIAL_LIMIT)
        require_int("fraction_bits", self.fraction_bits, 0, 16)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Logits:
    """Output neuron: ``scale[j] * y + offset[j]``, fixed point with `fraction_bits` fraction bits.

    In a spiking network y is the sum over all time steps.

    scale : integers 0..65535, shape (columns,); offset : integers, same shape.
    registers : whether both are registers of the hardware, as wide as `register_bits` says.
    """

    scale: Integers
    offset: Integers
    fraction_bits: int
    registers: bool = False

    def check(self, columns: int, reach: int) -> None:
        """Raise `InputError` unless this fits a layer's columns."""
        require_vector("scale", self.scale, columns, 0, SCALE_LIMIT)
        require_vector("offset", self.offset, columns, -LOGIT_LIMIT, LOGIT_LIMIT - 1)
        require_int("fraction_bits", self.fraction_bits, 0, 24)
        is_bool = isinstance(self.registers, bool)
        require(is_bool, "registers", "true or false", self.registers)
        few = not self.registers or columns <= MAX_CORRECTED
        require(few, "registers", f"false for more than {MAX_CORRECTED} classes", self.registers)

    def register_bits(self, reach: int) -> tuple[int, int]:
        """Return the bits of a scale's register, unsigned, and of an offset's, signed.

        Scales have room for twice the largest here, offsets for the largest product with them.
        reach : of y, over all time steps.
        """
        scale = min(SCALE_BITS, int(self.scale.max()).bit_length() + 1)
        offset = max(int(np.abs(self.offset.astype(np.int64)).max()), (2**scale - 1) * reach)
        return scale, int(offset).bit_length() + 1

    def largest(self, reach: int) -> int:
        """Return the largest absolute value of a logit, whatever its registers hold."""
        if self.registers:
            scale_bits, offset_bits = self.register_bits(reach)
            return int((2**scale_bits - 1) * reach + 2 ** (offset_bits - 1))
        scale, offset = (part.astype(np.int64) for part in (self.scale, self.offset))
        return int((scale * reach + np.abs(offset)).max())


Neuron = Threshold | Quantised | Spiking | Logits
