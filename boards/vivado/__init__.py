"""The vendor's flow: the shell as an IP, a block design around it, and what runs their scripts."""

from boards.vivado.files import write_files
from boards.vivado.flow import STEPS, build

__all__ = ["STEPS", "build", "write_files"]
