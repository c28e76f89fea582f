"""Hold what the core said against the golden model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbnn.early_exit import ALL, Exit
from golden.early_exit import counted_members, only_counted
from tb.run import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What was compared and what differed.

    members : image-members that count, compared, 0 where the packets hold no member's logits.
    wrong_members : their number with any logit wrong. images : packets compared.
    wrong_images : numbers of the images whose packet differs anywhere: header, logits, sums, votes.
    first_wrong : the first (image, member) with a wrong logit, if any.
    """

    images: int
    members: int
    wrong_members: int
    wrong_images: tuple[int, ...]
    first_wrong: tuple[int, int] | None

    @property
    def equal(self) -> bool:
        """Whether something was compared and nothing differed."""
        return self.images > 0 and not self.wrong_images


def packets(
    logits: NDArray[np.int64], member_logits: bool, rule: Exit = ALL
) -> dict[str, NDArray[np.int64]]:
    """Return the fields of the packets that belong to golden logits, shape (N, T, classes)."""
    images, members, classes = logits.shape
    counted = counted_members(logits, rule)
    counts = np.arange(members) < counted[:, None]
    # argmax takes the first of equals, as the core does.
    votes = logits.argmax(2)[..., None] == np.arange(classes)
    shown = only_counted(logits, counted)
    fields = {
        "image": np.arange(images)[:, None],
        "members": counted[:, None],
        "sums": shown.sum(1),
        "votes": (votes & counts[..., None]).sum(1),
    }
    return {**fields, **({"member_logits": shown} if member_logits else {})}


def compare(outcome: Outcome, logits: NDArray[np.int64], rule: Exit = ALL) -> Comparison:
    """Compare every field of every packet with golden `logits`, int64, shape (N, T, classes)."""
    golden = packets(logits, "member_logits" in outcome.fields, rule)
    wrong = np.zeros(len(logits), bool)
    members = np.zeros(logits.shape[:2], bool)
    for name, expected in golden.items():
        assert outcome.fields[name].shape == expected.shape, name
        differs = outcome.fields[name] != expected
        wrong |= differs.any(tuple(range(1, differs.ndim)))
        if name == "member_logits":
            members = differs.any(2)
    first = np.argwhere(members)
    return Comparison(
        images=len(logits),
        members=int(golden["members"].sum()) if "member_logits" in golden else 0,
        wrong_members=int(members.sum()),
        wrong_images=tuple(int(image) for image in np.flatnonzero(wrong)),
        first_wrong=(int(first[0, 0]), int(first[0, 1])) if len(first) else None,
    )
