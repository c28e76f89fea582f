"""Read and write a network as one `.safetensors` file (docs/model-file.md).

The arrays are tensors; everything else is JSON under the metadata key "bbnn". Nothing in the file
is executed, and whatever is out of range is refused with the file's and the field's name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bbnn.description import (
    Dense,
    Drive,
    Ensemble,
    Folding,
    Logits,
    Network,
    Neuron,
    NoisePlane,
    Threshold,
)
from bbnn.errors import InputError, describe, require

FORMAT_VERSION = 1
METADATA_KEY = "bbnn"

Tensors = dict[str, NDArray[Any]]
Built = TypeVar("Built")


def load(path: str | os.PathLike[str]) -> Network:
    """Return the network stored in `path`; raise `InputError` naming file and field otherwise."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"model file {path} must be an existing file, not missing")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} must be a whole safetensors file, not this: {reason}") from None
    require(METADATA_KEY in metadata, f"{path}: metadata", f'a "{METADATA_KEY}" entry', metadata)
    try:
        header = json.loads(metadata[METADATA_KEY])
        json.dumps(header, allow_nan=False)  # `loads` lets NaN and infinity through
    except (ValueError, RecursionError):
        raise InputError(
            f"{path}: metadata must be JSON, not {describe(metadata[METADATA_KEY])}"
        ) from None
    try:
        return _decode(header, tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def save_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write `network` to `path`; the file appears whole or not at all."""
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(to_bytes(network))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"{path} must be writable, not refused: {error.strerror}") from None


def to_bytes(network: Network) -> bytes:
    """Return the model file's content, the same bytes for the same network."""
    header, tensors = _encode(network)
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    return save(tensors, metadata={METADATA_KEY: text})


def digest(network: Network) -> str:
    """Return the SHA-256 of all that decides the hardware, in hex: the figures do not count."""
    header, tensors = _encode(network)
    del header["figures"]
    sha = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        sha.update(f"{name} {tensors[name].shape}".encode())
        sha.update(tensors[name].astype("<i8").tobytes())
    return sha.hexdigest()


def _encode(network: Network) -> tuple[dict[str, Any], Tensors]:
    tensors: Tensors = {}
    layers = []
    for index, layer in enumerate(network.layers):
        prefix = f"layers.{index}."
        wide = layer.probability_bits == 8
        tensors[prefix + "codes"] = _packed(layer.codes, np.uint16 if wide else np.uint8)
        neuron: dict[str, Any]
        if isinstance(layer.neuron, Threshold):
            neuron = {"kind": "threshold"}
            tensors[prefix + "thresholds"] = _packed(layer.neuron.thresholds, np.int32)
        else:
            neuron = {"kind": "logits", "fraction_bits": layer.neuron.fraction_bits}
            tensors[prefix + "scale"] = _packed(layer.neuron.scale, np.int32)
            tensors[prefix + "offset"] = _packed(layer.neuron.offset, np.int32)
        noise = layer.noise
        layers.append(
            {
                "kind": "dense",
                "name": layer.name,
                "drive": {"kind": layer.drive.kind, "bits": layer.drive.bits},
                "probability_bits": layer.probability_bits,
                "neuron": neuron,
                "folding": {
                    "lanes_in": layer.folding.lanes_in,
                    "lanes_out": layer.folding.lanes_out,
                },
                "noise": noise and {"row_bits": noise.row_bits, "seed": noise.seed},
            }
        )
    header = {
        "format_version": FORMAT_VERSION,
        "name": network.name,
        "input_shape": list(network.input_shape),
        "classes": list(network.classes),
        "lfsr_width": network.lfsr_width,
        "ensemble": {
            "members": network.ensemble.members,
            "stratified": network.ensemble.stratified,
            "reseed": network.ensemble.reseed,
        },
        "layers": layers,
        "figures": dict(network.figures),
    }
    return header, tensors


def _packed(values: NDArray[Any], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    return np.ascontiguousarray(values, dtype=dtype)


def _decode(header: Any, tensors: Tensors) -> Network:
    version = _field(header, "format_version")
    newest = f"at most {FORMAT_VERSION}, the newest this program reads"
    is_version = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    require(is_version, "format_version", "a version", version)
    require(version <= FORMAT_VERSION, "format_version", newest, version)
    entries = _field(header, "layers")
    require(isinstance(entries, list), "layers", "a list", entries)
    layers = []
    for index, entry in enumerate(entries):
        try:
            layers.append(_layer(entry, tensors, f"layers.{index}."))
        except InputError as error:
            raise InputError(f"layers[{index}].{error}") from None
    expected = {name for index in range(len(layers)) for name in _names(layers[index], index)}
    extra = sorted(set(tensors) - expected)
    require(not extra, "tensors", "those of the layers alone", extra)
    return Network(
        name=_field(header, "name"),
        input_shape=_tuple(header, "input_shape"),
        layers=tuple(layers),
        ensemble=_record(header, "ensemble", Ensemble),
        classes=_tuple(header, "classes"),
        lfsr_width=_field(header, "lfsr_width"),
        figures=_field(header, "figures"),
    )


def _layer(entry: Any, tensors: Tensors, prefix: str) -> Dense:
    kind = _field(entry, "kind")
    require(kind == "dense", "kind", '"dense"', kind)
    neuron_entry = _field(entry, "neuron")
    neuron_kind = _field(neuron_entry, "kind")
    neuron: Neuron
    if neuron_kind == "threshold":
        neuron = Threshold(thresholds=_tensor(tensors, prefix + "thresholds"))
    else:
        require(neuron_kind == "logits", "neuron.kind", '"threshold" or "logits"', neuron_kind)
        neuron = Logits(
            scale=_tensor(tensors, prefix + "scale"),
            offset=_tensor(tensors, prefix + "offset"),
            fraction_bits=_field(neuron_entry, "fraction_bits"),
        )
    noise = _field(entry, "noise")
    return Dense(
        name=_field(entry, "name"),
        drive=_record(entry, "drive", Drive),
        codes=_tensor(tensors, prefix + "codes"),
        probability_bits=_field(entry, "probability_bits"),
        neuron=neuron,
        folding=_record(entry, "folding", Folding),
        noise=None if noise is None else _record(entry, "noise", NoisePlane),
    )


def _names(layer: Dense, index: int) -> list[str]:
    own = ["thresholds"] if isinstance(layer.neuron, Threshold) else ["scale", "offset"]
    return [f"layers.{index}.{name}" for name in ["codes", *own]]


def _field(record: Any, name: str) -> Any:
    require(isinstance(record, Mapping), name, "a field of a JSON object", record)
    require(name in record, name, "present", "missing")
    return record[name]


def _record(entry: Any, name: str, build: Callable[..., Built]) -> Built:
    values = _field(entry, name)
    require(isinstance(values, Mapping), name, "a JSON object", values)
    wanted: list[str] = list(build.__dataclass_fields__)  # type: ignore[attr-defined]
    require(set(values) == set(wanted), name, " and ".join(wanted), sorted(values))
    return build(**values)


def _tuple(record: Any, name: str) -> tuple[Any, ...]:
    values = _field(record, name)
    require(isinstance(values, list), name, "a list", values)
    return tuple(values)


def _tensor(tensors: Tensors, name: str) -> NDArray[Any]:
    field = name.rsplit(".", 1)[-1]
    require(name in tensors, field, f"the tensor {name}", "missing")
    return tensors[name]
