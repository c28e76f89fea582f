"""What early exit saves and costs: quality and members over the margin, beside fixed T."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.early_exit import ALL, Exit
from golden import metrics
from golden.early_exit import counted_members
from golden.metrics import Floats, Labels

Integers = NDArray[np.int64]
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
"""Quantiles of what the sums of all members lead by, where margins are tried."""


def outcome(
    logits: Integers, member_q: Floats, labels: Labels, rule: Exit, most: int | None = None
) -> dict[str, Any]:
    """Return quality and the distribution of counted members under `rule`.

    member_q : each member's softmax. most : T, all if None. `vote_accuracy` is the votes'.
    """
    logits, member_q = logits[:, :most], member_q[:, :most]
    _, members, classes = logits.shape
    counted = counted_members(logits, rule)
    counts = (np.arange(members) < counted[:, None])[..., None]
    q = (member_q * counts).sum(axis=1) / counted[:, None]
    votes = ((logits.argmax(axis=2)[..., None] == np.arange(classes)) & counts).sum(axis=1)
    return {
        "mean_members": float(counted.mean()),
        "median_members": float(np.median(counted)),
        "members_90": float(np.quantile(counted, 0.9)),
        "exits": float((counted < members).mean()),
        "counts": np.bincount(counted, minlength=members + 1)[1:].tolist(),
        "accuracy": metrics.accuracy(q, labels),
        "nll": metrics.nll(q, labels),
        "vote_accuracy": float((votes.argmax(axis=1) == labels).mean()),
    }


def margins(logits: Integers, shares: Sequence[float] = SHARES) -> list[int]:
    """Return margins worth trying: quantiles of how far the sums of all members lead."""
    second, first = np.partition(logits.sum(axis=1), -2, axis=1)[:, -2:].T
    return sorted({int(value) for value in np.quantile(first - second, shares)})


def curves(
    logits: Integers, fraction_bits: int, labels: Labels, tried: Sequence[int]
) -> dict[str, Any]:
    """Return the outcomes of all members, of each fixed T, of the vote, and of each margin."""
    member_q = metrics.softmax(logits, fraction_bits)

    def under(rule: Exit, members: int | None = None) -> dict[str, Any]:
        return outcome(logits, member_q, labels, rule, members)

    return {
        "fixed": [under(ALL, members) for members in range(1, logits.shape[1] + 1)],
        "vote": under(Exit(rule="vote")),
        "margin": [
            {"margin": margin, **under(Exit(rule="margin", margin=margin))} for margin in tried
        ],
    }
