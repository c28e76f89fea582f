"""Read and write a network as one `.safetensors` file (docs/model-file.md).

The arrays are tensors; everything else is JSON under the metadata key "bbnn". Nothing in the file
is executed, and whatever is out of range is refused with the file's and the field's name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bbnn.description import (
    Drive,
    Ensemble,
    Folding,
    Layer,
    Logits,
    Network,
    Neuron,
    NoisePlane,
    Pool,
    Quantised,
    ScaleDropout,
    SpatialDropout,
    Spiking,
    Threshold,
    Window,
)
from bbnn.errors import InputError, describe, require

FORMAT_VERSION = 2
METADATA_KEY = "bbnn"
NEURON_KINDS: dict[type[Neuron], str] = {
    Threshold: "threshold",
    Quantised: "quantised",
    Spiking: "spiking",
    Logits: "logits",
}
RECORDS = ("drive", "folding", "noise", "window", "pool", "dropout")
"""Parts of a layer that are objects of plain fields, or null."""
LACKING: dict[str, Any] = {
    "skip_zeros": False,
    "reuse": False,
    "held": 0,
    "adds": None,
    "input_rows": None,
    "registers": False,
    "early_exit": False,
}
"""Fields that a file lacks where they have this value."""

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
        if layer.sampled is not None:
            tensors[prefix + "sampled"] = _packed(layer.sampled, np.uint8)
        neuron: dict[str, Any] = {"kind": NEURON_KINDS[type(layer.neuron)]}
        for name in _names(type(layer.neuron)):
            value = getattr(layer.neuron, name)
            if isinstance(value, np.ndarray):
                tensors[prefix + name] = _packed(value, np.int32)
            elif value is not None:
                neuron |= _written({name: value})
        records = {name: _plain(getattr(layer, name)) for name in RECORDS}
        layers.append(
            {
                "name": layer.name,
                "probability_bits": layer.probability_bits,
                "neuron": neuron,
                **records,
                **_written({"adds": layer.adds}),
            }
        )
    header = {
        "format_version": FORMAT_VERSION,
        "name": network.name,
        "input_shape": list(network.input_shape),
        "classes": list(network.classes),
        "lfsr_width": network.lfsr_width,
        "steps": network.steps,
        "encoding": network.encoding,
        "scale_dropout": _plain(network.scale_dropout),
        "ensemble": _plain(network.ensemble),
        "layers": layers,
        **_written({"input_rows": network.input_rows and list(network.input_rows)}),
        "figures": dict(network.figures),
    }
    return header, tensors


def _plain(record: Any) -> dict[str, Any] | None:
    return None if record is None else _written(asdict(record))


def _written(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not LACKING.get(name, ...)}


def _names(kind: type) -> list[str]:
    return [each.name for each in fields(kind)]


def _packed(values: NDArray[Any], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    return np.ascontiguousarray(values, dtype=dtype)


def _decode(header: Any, tensors: Tensors) -> Network:
    version = _field(header, "format_version")
    is_version = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    require(is_version, "format_version", "a version", version)
    known = f"{FORMAT_VERSION}, the one that this program reads"
    require(version == FORMAT_VERSION, "format_version", known, version)
    entries = _field(header, "layers")
    require(isinstance(entries, list), "layers", "a list", entries)
    layers = []
    used: set[str] = set()
    for index, entry in enumerate(entries):
        prefix = f"layers.{index}."
        own = {name[len(prefix) :]: tensors[name] for name in tensors if name.startswith(prefix)}
        try:
            layer = _layer(entry, own)
        except InputError as error:
            raise InputError(f"layers[{index}].{error}") from None
        layers.append(layer)
        used |= {prefix + name for name in ["codes", "sampled", *_names(type(layer.neuron))]}
    extra = sorted(set(tensors) - used)
    require(not extra, "tensors", "those of the layers alone", extra)
    return Network(
        name=_field(header, "name"),
        input_shape=_tuple(header, "input_shape"),
        layers=tuple(layers),
        ensemble=_record(header, "ensemble", Ensemble),
        classes=_tuple(header, "classes"),
        lfsr_width=_field(header, "lfsr_width"),
        steps=_field(header, "steps"),
        encoding=_field(header, "encoding"),
        scale_dropout=_optional(header, "scale_dropout", ScaleDropout),
        input_rows=_tuple(header, "input_rows") if "input_rows" in header else None,
        figures=_field(header, "figures"),
    )


def _layer(entry: Any, tensors: Tensors) -> Layer:
    return Layer(
        name=_field(entry, "name"),
        drive=_record(entry, "drive", Drive),
        codes=_tensor(tensors, "codes"),
        probability_bits=_field(entry, "probability_bits"),
        neuron=_neuron(_field(entry, "neuron"), tensors),
        folding=_record(entry, "folding", Folding),
        noise=_optional(entry, "noise", NoisePlane),
        window=_optional(entry, "window", Window),
        pool=_optional(entry, "pool", Pool),
        dropout=_optional(entry, "dropout", SpatialDropout),
        adds=entry.get("adds"),
        sampled=tensors.get("sampled"),
    )


def _neuron(entry: Any, tensors: Tensors) -> Neuron:
    kind = _field(entry, "kind")
    kinds = {name: build for build, name in NEURON_KINDS.items()}
    wanted = " or ".join(f'"{name}"' for name in kinds)
    require(isinstance(kind, str) and kind in kinds, "neuron.kind", wanted, kind)
    values: dict[str, Any] = {}
    for each in fields(kinds[kind]):
        if each.type == "int":
            values[each.name] = _field(entry, each.name)
        elif each.type == "bool":
            values[each.name] = entry.get(each.name, each.default)
        elif each.default is MISSING:
            values[each.name] = _tensor(tensors, each.name)
        else:
            values[each.name] = tensors.get(each.name)
    numbers = {name for name, value in values.items() if isinstance(value, int)}
    given = set(entry) - {"kind"}
    require(given <= numbers, "neuron", f"without {sorted(given - numbers)}", sorted(entry))
    return kinds[kind](**values)


def _field(record: Any, name: str) -> Any:
    require(isinstance(record, Mapping), name, "a field of a JSON object", record)
    require(name in record, name, "present", "missing")
    return record[name]


def _record(entry: Any, name: str, build: Callable[..., Built]) -> Built:
    values = _field(entry, name)
    require(isinstance(values, Mapping), name, "a JSON object", values)
    wanted: list[str] = list(build.__dataclass_fields__)  # type: ignore[attr-defined]
    needed = [each for each in wanted if each not in LACKING]
    fits = set(needed) <= set(values) <= set(wanted)
    require(fits, name, " and ".join(needed), sorted(values))
    return build(**values)


def _optional(entry: Any, name: str, build: Callable[..., Built]) -> Built | None:
    return None if _field(entry, name) is None else _record(entry, name, build)


def _tuple(record: Any, name: str) -> tuple[Any, ...]:
    values = _field(record, name)
    require(isinstance(values, list), name, "a list", values)
    return tuple(values)


def _tensor(tensors: Tensors, name: str) -> NDArray[Any]:
    require(name in tensors, name, "a tensor of the layer", "missing")
    return tensors[name]
