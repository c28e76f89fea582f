"""The option for a correction of the logits that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

from bbnn.correction import Correction, corrected, load_correction
from bbnn.description import Network

correction_option = click.option(
    "--correction",
    "correction_file",
    type=click.Path(path_type=Path),
    help="Of the logits; load it.",
)


def with_correction(network: Network, path: Path | None) -> tuple[Network, Correction | None]:
    """Return what `network` is with the correction in `path`, and the correction, if there is one.

    Raise `InputError` naming the file or `network` if they do not belong together.
    """
    if path is None:
        return network, None
    correction = load_correction(network, path)
    return corrected(network, correction), correction
