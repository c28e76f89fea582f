"""What is said on the serial line: 8 data bits, no parity, 1 stop bit, the lowest bit first.

The host gives one command at a time and waits for the end of its answer. Numbers are little-endian.

    command                                  answer
    "R" address(2)                           data(4) response     a register is read
    "W" address(2) data(4)                   response             a register is written
    "S" words(2) data(4) ...                 response             words of an image
    "F" words(2)                             data(4) ... response words of a packet, as they come
    "C"                                      response             what waits on its way is dropped

The response is that of AXI: OKAY; SLVERR where the core refuses an access, where an image is more
words than fit, and where the last word of a fetch, or another one, is not the last of its packet as
it should be; DECERR for an address that no register can have, and for a command that is none of
these.

* The words of an image go to a queue as long as one image, from which the core takes them; they are
  beats of AXI4-Stream, the last of a command with TLAST. So an image may be sent whenever the last
  one's packet has come.
* A fetch has no end but its last word: the host ends it with any byte, which is no command, and
  ignores what is under way.
* The byte 0 is ignored. A command whose next byte does not come within the silence is forgotten;
  so a host that is silent for so long starts anew.
* "C" empties the queue and takes what the core still offers; `run` must have been cleared before.
"""

from __future__ import annotations

__all__ = [
    "BAUD",
    "CLEAR",
    "DECERR",
    "FETCH",
    "IGNORED",
    "OKAY",
    "READ",
    "SEND",
    "SILENCE",
    "SLVERR",
    "WRITE",
]

READ, WRITE, SEND, FETCH, CLEAR = b"RWSFC"
IGNORED = 0
OKAY, SLVERR, DECERR = 0b00, 0b10, 0b11
BAUD = 1_000_000
"""An exact fraction of every whole number of megahertz, and known to FTDI's chips."""
SILENCE = 0.1
"""In seconds."""
