"""The boards: their pins, and what must be known to put a bitstream on them."""

from boards.platforms.board import BOARDS, Board, board_named

__all__ = ["BOARDS", "Board", "board_named"]
