"""Where a member's weights and decisions come from: the network's LFSRs, or physical devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.noise import member_weights
from golden.scale import dropped_scales


class Source(Protocol):
    """What golden asks for, member by member, image by image (`golden.network.logits`)."""

    def weights(
        self, network: Network, index: int, images: int, members: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the weights of layer `index` as `golden.noise.member_weights` does."""
        ...

    def dropped_scales(self, network: Network, images: int, members: int) -> NDArray[np.bool_]:
        """Return where a member drops a layer's scale, as `golden.scale.dropped_scales` does."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """The LFSRs of the network, as the hardware has them.

    drop_codes : of a layer's maps, by layer, in place of its one dropout code: integers 0..2**bits,
        shape (maps,). scale_code : in place of the scale unit's, 0..2**bits.
    """

    drop_codes: Mapping[int, NDArray[np.integer[Any]]] = field(default_factory=dict)
    scale_code: int | None = None

    def weights(
        self, network: Network, index: int, images: int, members: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield what the noise plane gives."""
        return member_weights(network, index, images, members, self.drop_codes.get(index))

    def dropped_scales(self, network: Network, images: int, members: int) -> NDArray[np.bool_]:
        """Return what the scale unit says."""
        return dropped_scales(network, images, members, self.scale_code)


STREAMS = Streams()
