"""How many of an image's members count where a rule ends them early (`bbnn.early_exit`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbnn.early_exit import Exit

Integers = NDArray[np.int64]
LEAST = 2
"""Members that the rule "margin" waits for."""


def counted_members(logits: Integers, rule: Exit) -> Integers:
    """Return how many of the first members count, int64 (N,), for logits (N, T, classes)."""
    images, members, classes = logits.shape
    counted = np.full(images, members, np.int64)
    over = np.zeros(images, bool)
    sums = np.zeros((images, classes), np.int64)
    votes = np.zeros((images, classes), np.int64)
    for done in range(1, members):
        of_member = logits[:, done - 1]
        sums += of_member
        votes[np.arange(images), of_member.argmax(axis=1)] += 1
        if rule.rule == "vote":
            enough = decided(votes, members - done)
        elif rule.rule == "margin" and done >= LEAST:
            second, first = np.partition(sums, -2, axis=1)[:, -2:].T
            enough = first - second >= rule.margin
        else:
            continue
        counted[enough & ~over] = done
        over |= enough
    return counted


def decided(votes: Integers, left: int) -> NDArray[np.bool_]:
    """Return where `left` more votes cannot change the winner, the first class on a tie.

    votes : (N, classes). All that are left may go to the same class.
    """
    classes = np.arange(votes.shape[1])
    winner = votes.argmax(axis=1)[:, None]
    most = np.take_along_axis(votes, winner, axis=1)
    # A class before the winner needs as many votes to win, one behind it a vote more.
    reached = votes + left
    beats = np.where(classes < winner, reached >= most, reached > most) & (classes != winner)
    return np.asarray(~beats.any(axis=1))


def only_counted(logits: Integers, counted: Integers) -> Integers:
    """Return `logits`, (N, T, classes), with 0 for the members that do not count."""
    counts = np.arange(logits.shape[1]) < counted[:, None]
    return np.where(counts[..., None], logits, 0)
