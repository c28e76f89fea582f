"""The neurons of a layer: which block does what its description says."""

from __future__ import annotations

from bbnn.description import Layer, Logits, Quantised, Spiking
from hdl.logits import LogitNeuron, logit_width
from hdl.quantised import QuantisedNeurons
from hdl.spiking import SpikingNeurons
from hdl.threshold import ThresholdNeurons

__all__ = [
    "LogitNeuron",
    "QuantisedNeurons",
    "SpikingNeurons",
    "ThresholdNeurons",
    "logit_width",
    "neuron_block",
]


def neuron_block(
    layer: Layer, steps: int = 1
) -> ThresholdNeurons | QuantisedNeurons | SpikingNeurons | LogitNeuron:
    """Return the block for the neurons of `layer`, for members of so many time steps.

    All take ``i``, a stream of ``ColumnSums(layer)``, one chunk a cycle, and give ``o``: chunks of
    ``neurons(layer)`` of the layer's own outputs before pooling, or logits one by one. The
    first output is offered `latency` cycles after its chunk was taken.
    """
    if isinstance(layer.neuron, Logits):
        return LogitNeuron(layer, steps=steps)
    if isinstance(layer.neuron, Spiking):
        return SpikingNeurons(layer, steps=steps)
    if isinstance(layer.neuron, Quantised):
        return QuantisedNeurons(layer)
    return ThresholdNeurons(layer)
