"""`bbnn study`: what choices of the design cost, measured over seeds."""

from __future__ import annotations

import click

from bbnn.cli import Commands

STUDIES = {
    "noise-plane": "What the size of the noise plane costs, and how random its words look.",
    "scale-dropout": "Which scales and what probability make members differ.",
    "early-exit": "What it saves and costs to end an image's members early.",
    "members": "How many members stratification saves.",
}
"""Name and one-line help; each lives in the module `bbnn.cli.study_NAME`."""


@click.command(cls=Commands, commands_by_name=STUDIES, prefix="bbnn.cli.study_")
def command() -> None:
    """Measure what choices of the design cost in accuracy and uncertainty.

    docs/studies.md has figures of the shipped networks.

    Example: bbnn study noise-plane models/fashion-mlp.safetensors
    """
