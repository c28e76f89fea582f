"""Neurons: what a column does with its sum y. Four kinds, all of them integers only."""

from __future__ import annotations

from dataclasses import dataclass

from bbnn.description.checks import Integers, require_vector
from bbnn.errors import require_int

LOGIT_LIMIT = 2**31
"""Sums of logits leave the hardware in 32-bit words, so every sum stays below this."""
SCALE_LIMIT = 2**16 - 1
"""Scales have 16 bits: products stay sums of at most 16 shifted copies."""
POTENTIAL_LIMIT = 2**31 - 1


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
    """

    scale: Integers
    offset: Integers
    fraction_bits: int

    def check(self, columns: int, reach: int) -> None:
        """Raise `InputError` unless this fits a layer's columns."""
        require_vector("scale", self.scale, columns, 0, SCALE_LIMIT)
        require_vector("offset", self.offset, columns, -LOGIT_LIMIT, LOGIT_LIMIT - 1)
        require_int("fraction_bits", self.fraction_bits, 0, 24)


Neuron = Threshold | Quantised | Spiking | Logits
