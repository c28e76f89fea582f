"""Switching activity: what a simulation's waves (VCD) say of how often nets and registers toggle.

The waves are of the generated Verilog, so a net is one of that, before synthesis packs several into
a LUT; what is taken from them is a rate, toggles a bit and cycle, not a number of nets. A simulator
without delays shows no glitches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bbnn.errors import require

Kind = Literal["net", "register", "memory"]
MODULE = re.compile(r"module (\S+) ?\(")
CLOCKED = re.compile(r"\s*(?:if \(.*?\) )?(\\\S+|\w+) ?(?:\[[^\]]*\] ?)?<= (.*);")
ASSIGNED = re.compile(r"\s*assign (\\\S+|\w+) ? = (\w+);")


@dataclass(slots=True)
class Count:
    """Bits that there are, their toggles in all cycles, and bit-cycles in which a word changed."""

    bits: int = 0
    toggles: int = 0
    changed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """What happened in so many clock cycles. counts : kind -> all of it; groups : block -> kind."""

    cycles: int
    counts: Mapping[Kind, Count]
    groups: Mapping[str, Mapping[Kind, Count]] = field(default_factory=dict)

    def rate(self, kind: Kind) -> float:
        """Return toggles a bit and cycle."""
        count = self.counts[kind]
        return count.toggles / (count.bits * self.cycles) if count.bits else 0.0

    @property
    def access_rate(self) -> float:
        """Reads a cycle of a memory, in the mean by bits: cycles in which its output changed."""
        count = self.counts["memory"]
        return count.changed / (count.bits * self.cycles) if count.bits else 0.0


def registers(verilog: str) -> dict[str, dict[str, Kind]]:
    """Return, by module, the names that a clock edge sets, those read from a memory apart."""
    found: dict[str, dict[str, Kind]] = {}
    module, memories, clocked = "", set[str](), False
    for line in verilog.splitlines():
        if start := MODULE.match(line):
            module, memories = _plain(start[1]), set()
            found[module] = {}
        elif array := re.match(r"\s*reg (?:\[[^\]]*\] )?(\\\S+|\w+) +\[", line):
            memories.add(_plain(array[1]))
        elif "always @" in line:
            clocked = "posedge" in line
        # Simulators do not show names that begin with an underscore: the port behind it does.
        if (wired := ASSIGNED.match(line)) and found[module].get(wired[2]) == "memory":
            found[module][_plain(wired[1])] = "memory"
        if clocked and (assigned := CLOCKED.match(line)):
            name, value = _plain(assigned[1]), assigned[2]
            source = re.match(r"(\\\S+|\w+) ?\[", value)
            if name in memories:
                continue
            read = source is not None and _plain(source[1]) in memories
            found[module][name] = "memory" if read else "register"
    return found


def measured(waves: Path, verilog: str, top: str) -> Activity:
    """Return the activity of the instance ``dut`` of module `top` in a VCD file.

    The clock of the module is what cycles are counted by: its rises. Raise `InputError` if the file
    is missing, or shows no such instance or no cycle.
    """
    require(waves.is_file(), str(waves), "an existing VCD file", "missing")
    known = registers(verilog)
    with waves.open() as lines:
        signals, clock = _declared(lines, known, top)
        require(clock is not None, str(waves), f"waves of dut, a {top}", "another design")
        cycles = _counted(lines, signals, str(clock))
    require(cycles > 0, str(waves), "waves of at least one cycle", cycles)
    counts: dict[Kind, Count] = {"net": Count(), "register": Count(), "memory": Count()}
    groups: dict[str, dict[Kind, Count]] = {}
    for signal in signals.values():
        group = groups.setdefault(signal.group, {})
        for count in (counts[signal.kind], group.setdefault(signal.kind, Count())):
            count.bits += signal.bits
            count.toggles += signal.toggles
            count.changed += signal.bits * signal.changes
    return Activity(cycles=cycles, counts=counts, groups=groups)


@dataclass(slots=True)
class _Signal:
    group: str
    kind: Kind
    bits: int
    value: int = 0
    toggles: int = 0
    changes: int = 0


def _declared(
    lines: Iterator[str], known: Mapping[str, Mapping[str, Kind]], top: str
) -> tuple[dict[str, _Signal], str | None]:
    """Read the head of a VCD; return the signals of dut by their codes, and the clock's code."""
    signals: dict[str, _Signal] = {}
    scope: list[str] = []
    clock = None
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0] == "$scope":
            scope.append(words[2])
        elif words[0] == "$upscope":
            scope.pop()
        elif words[0] == "$var" and "dut" in scope:
            inside = scope[scope.index("dut") + 1 :]
            name = words[4]
            module = ".".join([top, *inside])
            kind: Kind = known.get(module, {}).get(name, "net")
            code, bits = words[3], int(words[2])
            if name in ("aclk", "clk"):
                clock = code if name == "aclk" else clock
                continue
            # One net has a name in every module it goes through: a register in one is one.
            if code not in signals or kind != "net":
                signals[code] = _Signal(".".join(inside[1:3]) or "ports", kind, bits)
        elif words[0] == "$enddefinitions":
            break
    if clock is not None:
        signals.pop(clock, None)
    return signals, clock


def _counted(lines: Iterator[str], signals: Mapping[str, _Signal], clock: str) -> int:
    """Read the changes of a VCD into the signals; return the rises of the clock."""
    cycles = 0
    for line in lines:
        first = line[0]
        if first == "b":
            text, code = line[1:].split()
            signal = signals.get(code)
            if signal is not None:
                value = int(text.translate(UNKNOWN), 2)
                signal.toggles += (value ^ signal.value).bit_count()
                signal.changes += value != signal.value
                signal.value = value
        elif first in "01":
            code = line[1:-1]
            if code == clock:
                cycles += first == "1"
                continue
            signal = signals.get(code)
            if signal is not None and signal.value != int(first):
                signal.value ^= 1
                signal.toggles += 1
                signal.changes += 1
    return cycles


UNKNOWN = str.maketrans("xXzZ", "0000")


def _plain(name: str) -> str:
    """Return a Verilog name without the backslash of an escaped one."""
    return name.removeprefix("\\").strip()
