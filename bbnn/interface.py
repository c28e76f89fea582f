"""The core's registers and result packet: one table for hardware, driver, benches and documents.

`hdl` builds the registers from `registers()`, `tb` and the driver look addresses and bits up in it,
the manifest lists it, and `docs/interface.md` is `markdown()` of the shipped network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.early_exit import RULES
from bbnn.errors import InputError, require, require_int
from bbnn.model_file import digest

ID = 0x42424E4E
"""ASCII "BBNN"."""
VERSION = 3
"""Raised whenever a register or the packet changes."""
PIXELS_PER_BEAT = 4
ADDRESS_BITS = 12
SCALES, OFFSETS = 0x400, 0x800
"""Addresses of the first class's scale and offset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """One 32-bit register.

    address : byte address. access : "ro" or "rw". reset : value after power-up.
    bits : name of a single-bit field -> (bit number, meaning).
    """

    name: str
    address: int
    access: Literal["ro", "rw"]
    reset: int
    meaning: str
    bits: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PacketField:
    """A run of 32-bit words in the result packet; `signed` words are two's complement."""

    name: str
    words: int
    signed: bool
    meaning: str


def streamed(network: Network) -> tuple[str, ...]:
    """Return the names of the layers whose codes are streamed, each by a port of its own."""
    return tuple(layer.name for layer in network.layers if layer.streamed)


def code_port(layer: str) -> str:
    """Return the name of the port by which the codes of a layer come in."""
    return f"s_axis_codes_{layer}"


def seed_registers(network: Network) -> tuple[Register, ...]:
    """Return the seed registers, low words first: layer by layer, then the scale unit's."""
    words = network.lfsr_width // 32
    streams = [
        (layer.name, f"layer {layer.name}", layer.noise.seed)
        for layer in network.layers
        if layer.noise is not None
    ]
    if network.scale_dropout is not None:
        streams.append(("scale_dropout", "the scale dropout", network.scale_dropout.seed))
    result: list[Register] = []
    for name, owner, seed in streams:
        for word in range(words):
            suffix = "" if words == 1 else ("_LOW", "_HIGH")[word]
            result.append(
                Register(
                    name=f"SEED_{name.upper()}{suffix}",
                    address=0x40 + 4 * len(result),
                    access="rw",
                    reset=seed >> 32 * word & 0xFFFFFFFF,
                    meaning=f"First LFSR state of {owner}; written only while not run.",
                )
            )
    require(len(result) <= 240, "layers", "at most 240 seed words in all", len(result))
    return tuple(result)


def correction_registers(network: Network) -> tuple[Register, ...]:
    """Return the scales of the classes, then the offsets, if they are registers; else none."""
    output = network.output
    if not output.registers:
        return ()
    bits, signed = output.register_bits(network.layers[-1].reach * network.steps)
    result = []
    for name, base, values, takes in (
        ("SCALE", SCALES, output.scale, f"at most {2**bits - 1}"),
        ("OFFSET", OFFSETS, output.offset, f"{-(2 ** (signed - 1))} to {2 ** (signed - 1) - 1}"),
    ):
        for number, (label, value) in enumerate(zip(network.classes, values, strict=True)):
            what = f"{name.capitalize()} of logit {number}, {label}: {takes}"
            result.append(
                Register(
                    name=f"{name}_{number}",
                    address=base + 4 * number,
                    access="rw",
                    reset=int(value) & 0xFFFFFFFF,
                    meaning=f"{what}; written only while not run.",
                )
            )
    return tuple(result)


def registers(network: Network) -> tuple[Register, ...]:
    """Return every register of the network's core, by address."""
    control = {
        "run": (0, "Process images. 0 holds the data path in reset and drops what is in it."),
        "member_logits": (1, "Put every member's logits into the packet; fixed while running."),
    }
    status = {
        "idle": (0, "No image is in the core."),
        "framing": (1, "TLAST came inside an image; cleared by starting again."),
        "refused": (2, "A write was refused with SLVERR; cleared by an accepted write of CONTROL."),
    }
    build = int(digest(network)[:8], 16)
    fixed = [
        ("ID", "ro", ID, 'ASCII "BBNN".', {}),
        ("VERSION", "ro", VERSION, "Version of this register map and of the packet.", {}),
        ("BUILD", "ro", build, "First 32 bits of the model's digest.", {}),
        (
            "CONTROL",
            "rw",
            0,
            "Start is refused while a seed is 0 or a beat of an earlier run waits.",
            control,
        ),
        ("STATUS", "ro", 1, "State of the core.", status),
        ("MEMBERS", "rw", network.ensemble.members, "T; written only while not run.", {}),
        ("MAX_MEMBERS", "ro", network.max_members, "Largest T that MEMBERS takes.", {}),
        ("IMAGES_IN", "ro", 0, "Whole images taken since start.", {}),
        ("IMAGES_OUT", "ro", 0, "Packets taken since start, until a stop.", {}),
        (
            "CYCLES_LOW",
            "ro",
            0,
            "Clock cycles with an image in the core; reading it holds CYCLES_HIGH.",
            {},
        ),
        ("CYCLES_HIGH", "ro", 0, "Upper half, as of the last read of CYCLES_LOW.", {}),
        (
            "TEST_STREAM",
            "rw",
            0,
            "Random stream under test, from 1, in the order of seeds; a run then has no members.",
            {},
        ),
        (
            "RANDOM",
            "ro",
            0,
            "Next bits of the stream under test, the first one lowest; reading takes them.",
            {},
        ),
    ]
    if network.ensemble.early_exit:
        rules = ", ".join(f"{number} {name}" for name, number in RULES.items())
        margin = (
            'Lead of the largest sum of logits over the next that ends an image, rule "margin".'
        )
        later = "Written only while not run."
        fixed += [
            ("EXIT", "rw", 0, f"When an image's members end before T: {rules}. {later}", {}),
            ("MARGIN", "rw", 0, f"{margin} {later}", {}),
        ]
    table = [
        Register(name=name, address=4 * i, access=access, reset=reset, meaning=text, bits=bits)  # type: ignore[arg-type]
        for i, (name, access, reset, text, bits) in enumerate(fixed)
    ]
    return (*table, *seed_registers(network), *correction_registers(network))


def packet(network: Network, members: int, member_logits: bool) -> tuple[PacketField, ...]:
    """Return the layout of one result packet."""
    classes = len(network.classes)
    logits = PacketField(
        name="member_logits",
        words=members * classes,
        signed=True,
        meaning="Logits of member 0, class by class, then of member 1 ...; only if asked for. 0 for"
        " members that do not count.",
    )
    return (
        PacketField(
            name="image", words=1, signed=False, meaning="Number of the image since start."
        ),
        *((logits,) if member_logits else ()),
        PacketField(name="sums", words=classes, signed=True, meaning="Sum of the members' logits."),
        PacketField(
            name="votes",
            words=classes,
            signed=False,
            meaning="Members whose largest logit (the first, on a tie) is this class.",
        ),
        PacketField(
            name="members",
            words=1,
            signed=False,
            meaning="Members that sums and votes are of: T, or fewer after an early exit.",
        ),
    )


def unpack(
    network: Network, words: NDArray[np.uint32], members: int, member_logits: bool
) -> dict[str, NDArray[np.int64]]:
    """Split whole packets, shape (images, words), into arrays (images, words of the field).

    `member_logits` comes as (images, members, classes). Raise `InputError` on another length.
    """
    layout = packet(network, members, member_logits)
    length = sum(part.words for part in layout)
    require_int("words of a packet", int(words.shape[-1]), length, length)
    result: dict[str, NDArray[np.int64]] = {}
    start = 0
    for part in layout:
        piece = words[:, start : start + part.words]
        kind = np.int32 if part.signed else np.uint32
        result[part.name] = np.ascontiguousarray(piece).view(kind).astype(np.int64)
        start += part.words
    if member_logits:
        shape = (len(words), members, len(network.classes))
        result["member_logits"] = result["member_logits"].reshape(shape)
    return result


def pack_pixels(images: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the input beats, shape (images, beats): pixel 4*i + k is byte k of beat i."""
    if images.dtype != np.uint8:
        raise InputError(f"images must be uint8, not {images.dtype}")
    flat = images.reshape(len(images), -1)
    padding = -flat.shape[1] % PIXELS_PER_BEAT
    return np.ascontiguousarray(np.pad(flat, ((0, 0), (0, padding)))).view("<u4")


def as_json(network: Network) -> dict[str, Any]:
    """Return both tables for the manifest."""
    return {
        "registers": [
            {
                "name": register.name,
                "address": register.address,
                "access": register.access,
                "reset": register.reset,
                "meaning": register.meaning,
                "bits": {name: bit for name, (bit, _) in register.bits.items()},
            }
            for register in registers(network)
        ],
        "packet": [
            {
                "name": part.name,
                "words": part.words,
                "words_per_member": part.name == "member_logits",
                "signed": part.signed,
                "meaning": part.meaning,
            }
            for part in packet(network, 1, True)
        ],
    }
