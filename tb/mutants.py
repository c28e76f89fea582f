"""Break the generated Verilog in small ways, to see that the benches notice.

A mutant is the design with one operator, condition or constant changed; it is killed when a bench
fails. A survivor either does what the design does, or shows what the benches do not see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.network import logits
from tb.build import build
from tb.compare import compare
from tb.play import SimulationError, check_registers
from tb.run import simulate
from tb.setup import Setup, as_set_up

FLIP = "the lowest bit flipped"
OPERATORS: dict[str, tuple[str, str]] = {
    "and": (r"(?<!=) & ", " | "),
    "or": (r"(?<!=) \| ", " & "),
    "xor": (r"(?<!=) \^ ", " | "),
    "plus": (r" \+ ", " - "),
    "minus": (r"(?<!=) - ", " + "),
    "equal": (r" == ", " != "),
    "at least": (r" >= ", " > "),
    "more": (r" > ", " >= "),
    "not": (r"= [~!] ", "= "),
    "any": (r"= \| ", "= & "),
    "parity": (r"= \^ ", "= ~^ "),
    "choice": (r"\? ([^:;?]+) : ([^:;?]+);", r"? \2 : \1;"),
    "condition": (r"if \((?!\\\$auto)(.+)\) begin$", r"if (!(\1)) begin"),
    "case": (r"(?<='h)([0-9a-f]+)(?=:)", FLIP),
    "constant": (r"(?<='h)([0-9a-f]+)\b(?!:)", FLIP),
    # Memories that start with zeros are written before they are read.
    "memory": (r"(?<='h)(?!0+;)([0-9a-f]+)(?=;)", FLIP),
}
"""What is changed: a pattern and what replaces it. "memory" alone changes words of memories."""
UNTOUCHED = re.compile(r" *(//|/\*|\(\*|(module|endmodule|input|output|wire|reg|initial)\b)")
MEMORY_WORD = re.compile(r" +\S+ ?\[\d+\] = \d+'h")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A changed design. line : counted from 1. text : the whole Verilog."""

    operator: str
    line: int
    before: str
    after: str
    text: str


def mutants(text: str, count: int, seed: int = 1) -> list[Mutant]:
    """Return `count` mutants of a design, evenly over the operators, drawn from `seed`."""
    rng = np.random.default_rng(seed)
    lines = text.split("\n")
    places = [
        [
            (name, number, match)
            for number, line in enumerate(lines)
            if not UNTOUCHED.match(line) and bool(MEMORY_WORD.match(line)) == (name == "memory")
            for match in re.finditer(pattern, line)
        ]
        for name, (pattern, _) in OPERATORS.items()
    ]
    for sites in places:
        rng.shuffle(sites)
    # Turn by turn, one place of each operator.
    rounds = max(map(len, places), default=0)
    chosen = [sites[turn] for turn in range(rounds) for sites in places if turn < len(sites)]
    return [_mutant(lines, *place) for place in chosen[:count]]


def kill(
    network: Network,
    mutant: Mutant,
    images: NDArray[np.uint8],
    setups: Sequence[Setup],
    folder: Path,
) -> str | None:
    """Return how the benches notice a mutant under Icarus, None if they all pass.

    setups : the ways in which `images` are played, each beginning with another image; before them
    come the registers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    verilog = folder / "mutant.v"
    verilog.write_text(mutant.text)
    try:
        made = build(network.name, verilog, "icarus", folder / "build")
        check_registers(made, network, folder / "registers", stalls=20)
        for number, setup in enumerate(setups):
            order = np.roll(images, number, axis=0)
            outcome = simulate(made, network, order, setup, folder / "run", processes=1)
            golden = logits(as_set_up(network, setup), order, setup.members)
            found = compare(outcome, golden, setup.exit)
            if not found.equal:
                return f"{len(found.wrong_images)} of {len(order)} images are wrong"
    except SimulationError as error:
        return str(error)
    return None


def _mutant(lines: list[str], name: str, number: int, match: re.Match[str]) -> Mutant:
    before, replacement = lines[number], OPERATORS[name][1]
    if replacement == FLIP:
        digits = match.group()
        changed = digits[:-1] + f"{int(digits[-1], 16) ^ 1:x}"
    else:
        changed = match.expand(replacement)
    after = before[: match.start()] + changed + before[match.end() :]
    text = "\n".join([*lines[:number], after, *lines[number + 1 :]])
    return Mutant(
        operator=name, line=number + 1, before=before.strip(), after=after.strip(), text=text
    )
