"""The hardware between the Zynq's processor and the core."""

from boards.shell.shell import Shell

__all__ = ["Shell"]
