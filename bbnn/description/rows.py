"""Rows that are sampled and rows that are not: what a layer must be for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bbnn.description.checks import require_vector
from bbnn.errors import require

if TYPE_CHECKING:
    from bbnn.description.layer import Layer


def require_rows(layer: Layer) -> None:
    """Raise `InputError` unless rows that are not sampled are certain and lie where they may."""
    reuse = layer.folding.reuse
    where = f"folding.reuse ({layer.name})"
    require(isinstance(reuse, bool), where, "true or false", reuse)
    if layer.sampled is None:
        require(not reuse, where, "false where all rows are sampled alike", reuse)
        return
    require_vector("sampled", layer.sampled, layer.rows, 0, 1)
    require(layer.probability_bits > 0, "sampled", "None where probability_bits is 0", "set")
    some = 0 < layer.sampled_rows < layer.rows
    require(some, "sampled", "set for some rows but not all", f"{layer.sampled_rows} rows")
    codes = layer.codes[layer.sampled == 0]
    certain = (codes == 0) | (codes == 2**layer.probability_bits)
    wanted = f"0 or {2**layer.probability_bits} in the rows that are not sampled"
    require(bool(certain.all()), "codes", wanted, codes[~certain].flat[:1].tolist())
    whole = (layer.sampled.reshape(-1, layer.taps) == layer.sampled[:: layer.taps, None]).all()
    require(bool(whole), "sampled", "the same for all rows of a map", "different ones")
    plain = layer.window is None and layer.dropout is None and not layer.folding.skip_zeros
    wanted = "the first maps of a convolution, or where maps are dropped or zeros skipped"
    require(plain or not layer.sorts, "sampled", wanted, "others")
    if reuse:
        wanted = "false but for a fully connected layer without dropout and skipped zeros"
        require(plain, where, wanted, reuse)
        wanted = "false where row groups of lanes_in rows all hold sampled rows"
        require(layer.row_groups > layer.sampled_groups, where, wanted, reuse)
