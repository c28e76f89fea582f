"""The hardware: one crossbar layer after another, joined by streams (docs/design.md)."""
