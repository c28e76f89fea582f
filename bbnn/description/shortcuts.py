"""Shortcuts: a layer's outputs, added to those of a later one, as in residual networks."""

from __future__ import annotations

from collections.abc import Sequence

from bbnn.description.layer import MAX_DRIVE_BITS, Drive, Layer
from bbnn.description.neurons import Logits, Threshold
from bbnn.errors import require


def source_of(layers: Sequence[Layer]) -> int | None:
    """Return the index of the layer whose outputs are added to those of the last of `layers`."""
    *before, layer = layers
    if layer.adds is None:
        return None
    names = [each.name for each in before]
    where = f"layers[{len(before)}].adds ({layer.name})"
    require(layer.adds in names, where, "the name of an earlier layer", layer.adds)
    return names.index(layer.adds)


def largest_output(layers: Sequence[Layer]) -> int:
    """Return the largest output of the last of `layers`, with all that is added to it."""
    source, own = source_of(layers), layers[-1].largest
    return own if source is None else own + largest_output(layers[: source + 1])


def output_drive(layers: Sequence[Layer]) -> Drive:
    """Return what the last of `layers`, not the one with logits, is to the layer that follows."""
    if isinstance(layers[-1].neuron, Threshold):
        return Drive(kind="sign")
    return Drive(kind="unsigned", bits=largest_output(layers).bit_length())


def require_shortcuts(layers: Sequence[Layer], first_ensembling: int) -> None:
    """Raise `InputError` naming the layer to whose outputs nothing can be added, or not this."""
    for index, layer in enumerate(layers):
        source = source_of(layers[: index + 1])
        if source is None:
            continue
        where = f"layers[{index}].adds ({layer.name})"
        for each in (layer, layers[source]):
            unsigned = not isinstance(each.neuron, Threshold | Logits)
            kind = f"{type(each.neuron).__name__} of {each.name}"
            require(unsigned, where, "of and for unsigned outputs", kind)
        shape = layers[source].output_shape
        same = shape == layer.output_shape
        require(same, where, f"a layer that puts out {layer.output_shape}, like this one", shape)
        once = (
            f"run as often as this one: from {layers[first_ensembling].name} on it is each member"
        )
        together = (source < first_ensembling) == (index < first_ensembling)
        require(together, where, once, layer.adds)
        largest = largest_output(layers[: index + 1])
        small = largest.bit_length() <= MAX_DRIVE_BITS
        require(small, where, f"a sum of at most {MAX_DRIVE_BITS} bits", largest)
