"""What a layer of a recipe shall be: the part of it that is chosen, not learnt."""

from __future__ import annotations

from dataclasses import dataclass

from bbnn.description import Folding, Pool, Window

STEEPNESS = 2.0
"""Normalised input at which a quantised ReLU reaches its highest level."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSampling:
    """Which rows of a layer shall stay random: `kept` groups of `group` neighbouring rows.

    penalty : weight of the groups' penalty until they are chosen. chosen_after : share of the
    training after which the groups of most variance are chosen; all other rows become plain signs.
    kl_weight : of the chosen rows' pull to the prior, beside that of all weights.
    """

    group: int
    kept: int
    penalty: float
    chosen_after: float
    kl_weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A layer to be trained.

    name, columns, folding, window, pool : as in `bbnn.description.Layer`.
    bernoulli : weights drawn with each member, b = 1; else fixed signs, b = 0.
    levels : of a quantised ReLU, 2**n - 1; 0 for signs.
    dropout : probability with which an input map is 0. scale_dropout : probability with which the
    scale alpha is left out. scale_spread : s; alphas lie in 1/s..s, evenly in their logarithm.
    sampling : of a Bernoulli layer of which only some rows shall stay random.
    """

    name: str
    columns: int
    folding: Folding
    window: Window | None = None
    pool: Pool | None = None
    bernoulli: bool = True
    levels: int = 0
    dropout: float = 0.0
    scale_dropout: float = 0.0
    scale_spread: float = 2.0
    sampling: RowSampling | None = None

    @property
    def probability_bits(self) -> int:
        """b of the exported codes."""
        return int(self.bernoulli)

    @property
    def step(self) -> float:
        """Normalised input per level of a quantised ReLU."""
        return STEEPNESS / self.levels
