"""`python -m bbnn`, the same as `bbnn`."""

from __future__ import annotations

from bbnn.cli import main

if __name__ == "__main__":
    main()
