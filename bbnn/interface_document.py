"""The interface tables as a page for people; `bbnn generate` writes it beside the Verilog."""

from __future__ import annotations

from bbnn.description import PIXEL_BITS, Network
from bbnn.interface import PIXELS_PER_BEAT, code_port, packet, registers, streamed


def markdown(network: Network) -> str:
    """Return the page on the ports, registers and packet of the core of `network`."""
    beats, bits = -(-network.pixels // PIXELS_PER_BEAT), network.pixel_bits
    members, layers = network.ensemble.members, streamed(network)
    unread = "" if bits == PIXEL_BITS else f", and the lower {PIXEL_BITS - bits} bits of a pixel,"
    pixels = (
        f"images, {beats} beats each: pixel 4*i + k is byte k of beat i; bytes beyond the last"
        f" pixel{unread} do not matter."
        " TLAST is optional; it may come with an image's last beat alone"
    )
    use = (
        "To use it: write `MEMBERS` and seeds if they shall differ from their reset values, write"
        " `CONTROL` with `run`, send images, receive packets. Clearing `run` drops whatever is"
        " inside; a beat that was already offered on `m_axis` stays until it is taken."
    )
    refusal = (
        "A write that is not allowed is answered with SLVERR, changes nothing and sets"
        " `STATUS.refused`. So is one with a strobe missing, or outside the table."
    )
    lines = [
        f"# Interface of the core `{network.name}`",
        "",
        "One clock `aclk`, one synchronous reset `aresetn` (active low), "
        + (f"{3 + len(layers)} AXI ports." if layers else "three AXI ports."),
        "",
        "| port | kind | what passes |",
        "|---|---|---|",
        "| `s_axi` | AXI4-Lite, 32 bits | the registers below |",
        f"| `s_axis` | AXI4-Stream in, 32 bits | {pixels} |",
        *(
            f"| `{code_port(name)}` | AXI4-Stream in, 64 bits | codes of {name}:"
            f" `memory/{name}_codes.hex`, over and over, from the start whenever `run` is set |"
            for name in layers
        ),
        "| `m_axis` | AXI4-Stream out, 32 bits | one packet per image, TLAST on its last word |",
        "",
        use,
        "",
        "## Registers",
        "",
        refusal,
        "",
        "| address | name | access | after reset | meaning |",
        "|---|---|---|---|---|",
    ]
    for register in registers(network):
        lines.append(
            f"| `0x{register.address:03X}` | `{register.name}` | {register.access} "
            f"| `0x{register.reset:08X}` | {register.meaning} |"
        )
        for name, (bit, meaning) in register.bits.items():
            lines.append(f"| | bit {bit} `{name}` | | | {meaning} |")
    lines += [
        "",
        "## Result packet",
        "",
        f"In 32-bit words; here for T = {members}.",
        "",
        "| field | words | signed | meaning |",
        "|---|---|---|---|",
    ]
    for part in packet(network, members, True):
        sign = "yes" if part.signed else "no"
        lines.append(f"| `{part.name}` | {part.words} | {sign} | {part.meaning} |")
    fraction = network.output.fraction_bits
    lines += [
        "",
        f"A logit is its word divided by 2^{fraction}. Classes, in order: "
        + ", ".join(network.classes)
        + ".",
        "",
    ]
    return "\n".join(lines)
