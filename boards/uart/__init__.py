"""The hardware between a serial port and the core: for boards without a processor on their chip."""

from boards.uart.shell import UartShell

__all__ = ["UartShell"]
