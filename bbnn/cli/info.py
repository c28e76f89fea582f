"""`bbnn info`: what a model is, and what its hardware will need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bbnn.cli import emit
from bbnn.description import Layer, Network
from bbnn.model_file import NEURON_KINDS, digest, load
from bbnn.schedule import pass_cycles


def summary(network: Network) -> dict[str, Any]:
    """Return all that `bbnn info --json` tells of `network`.

    codes : how many weights are -1, stochastic and +1. cycles : of one vector, at most where zeros
    are skipped; a map has a vector for each position. cycles_once : of the pass before all members,
    where sums are reused. sampled_rows : for which random bits are drawn. dropout : its decisions
    per member, and those that dropping every row by itself would take. run_per : "image" before the
    first ensembling layer, "member" from there on. weight_bits : size of the weight memory.
    noise_bits : drawn by one filling of the noise plane.
    """
    first = network.first_ensembling
    layers = [
        _layer(layer, "image" if i < first else "member") for i, layer in enumerate(network.layers)
    ]
    return {
        "name": network.name,
        "digest": digest(network),
        "input_shape": list(network.input_shape),
        "classes": list(network.classes),
        "ensemble": {
            "members": network.ensemble.members,
            "max_members": network.max_members,
            "stratified": network.ensemble.stratified,
            "reseed": network.ensemble.reseed,
            "resample": network.ensemble.resample,
            "lfsr_width": network.lfsr_width,
        },
        "steps": network.steps,
        "encoding": network.encoding,
        "scale_dropout": network.scale_dropout and asdict(network.scale_dropout),
        "layers": layers,
        "totals": {
            "weights": sum(layer.codes.size for layer in network.layers),
            "stochastic_weights": sum(layer.stochastic_weights for layer in network.layers),
            "weight_bits": sum(layer["weight_bits"] for layer in layers),
            "noise_bits": sum(layer["noise_bits"] for layer in layers),
        },
        "figures": dict(network.figures),
    }


def _layer(layer: Layer, run_per: str) -> dict[str, Any]:
    minus = int(np.count_nonzero(layer.codes == 0))
    stochastic = layer.stochastic_weights
    noise = layer.noise
    return {
        "name": layer.name,
        "rows": layer.rows,
        "columns": layer.columns,
        "drive": {"kind": layer.drive.kind, "bits": layer.drive.bits},
        "neuron": NEURON_KINDS[type(layer.neuron)],
        "positions": layer.positions,
        "output_shape": list(layer.output_shape),
        "window": layer.window and asdict(layer.window),
        "pool": layer.pool and asdict(layer.pool),
        "dropout": _dropout(layer),
        "adds": layer.adds,
        "lanes_in": layer.folding.lanes_in,
        "lanes_out": layer.folding.lanes_out,
        "skip_zeros": layer.folding.skip_zeros,
        "cycles": pass_cycles(layer),
        "cycles_once": pass_cycles(layer, certain=True) if layer.folding.reuse else 0,
        "sampled_rows": layer.sampled_rows if layer.probability_bits else 0,
        "run_per": run_per,
        "probability_bits": layer.probability_bits,
        "codes": {
            "-1": minus,
            "stochastic": stochastic,
            "+1": layer.codes.size - minus - stochastic,
        },
        "weight_bits": layer.weight_bits,
        "noise_bits": layer.noise_bits,
        "row_bits": noise.row_bits if noise else None,
        "seed": noise.seed if noise else None,
    }


def _dropout(layer: Layer) -> dict[str, Any] | None:
    if layer.dropout is None:
        return None
    probability = layer.dropout.code / 2**layer.dropout.bits
    return {"probability": probability, "decisions": layer.maps, "element_wise": layer.rows}


def show(told: dict[str, Any], console: Console) -> None:
    """Print a summary: two tables with a row for each layer, and a list of facts."""
    shape = " x ".join(map(str, told["input_shape"]))
    console.print(f"[bold]{told['name']}[/]: {shape} pixels to {len(told['classes'])} classes\n")
    _print_rows([_crossbar(layer) for layer in told["layers"]], console)
    maps = [_map(layer) for layer in told["layers"] if layer["window"] or layer["dropout"]]
    if maps:
        _print_rows(maps, console)
    total = {
        "layer": "total",
        "stochastic": _share(told["totals"]["stochastic_weights"], told["totals"]["weights"]),
        "weight bits": f"{told['totals']['weight_bits']:,}",
        "noise bits": f"{told['totals']['noise_bits']:,}",
    }
    _print_rows([*map(_weights, told["layers"]), total], console)
    _print_facts(_facts(told), console)


def _crossbar(layer: dict[str, Any]) -> dict[str, str]:
    drive = layer["drive"]
    once = f", {layer['cycles_once']:,} once" if layer["cycles_once"] else ""
    return {
        "layer": layer["name"],
        "rows x columns": f"{layer['rows']} x {layer['columns']}",
        "drive": "sign" if drive["kind"] == "sign" else f"{drive['bits']} planes",
        "neuron": layer["neuron"],
        "lanes": f"{layer['lanes_in']} x {layer['lanes_out']}",
        "cycles": f"{'at most ' * layer['skip_zeros']}{layer['cycles']:,}{once}",
        "run per": layer["run_per"],
    }


def _map(layer: dict[str, Any]) -> dict[str, str]:
    window, pool, dropout = layer["window"], layer["pool"], layer["dropout"]
    told = {"layer": layer["name"], "window": "", "positions": "", "pool": "", "output": ""}
    if window:
        kernel = "{kernel} x {kernel}, stride {stride}, padding {padding}".format(**window)
        told |= {"window": kernel, "positions": f"{layer['positions']:,}"}
    if pool:
        told["pool"] = "{kind} {size} x {size}".format(**pool)
    told["output"] = " x ".join(map(str, layer["output_shape"]))
    fewer = "{decisions:,} of {element_wise:,}".format(**dropout) if dropout else ""
    return {**told, "dropout decisions": fewer}


def _weights(layer: dict[str, Any]) -> dict[str, str]:
    count = sum(layer["codes"].values())
    return {
        "layer": layer["name"],
        "b": str(layer["probability_bits"]),
        **{value: _share(part, count) for value, part in layer["codes"].items()},
        "rows sampled": f"{layer['sampled_rows']:,}",
        "weight bits": f"{layer['weight_bits']:,}",
        "noise bits": f"{layer['noise_bits']:,}",
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _facts(told: dict[str, Any]) -> dict[str, str]:
    ensemble = told["ensemble"]
    drawn = "stratified" if ensemble["stratified"] else "independent"
    seeds = [f"{layer['name']} {layer['seed']:#x}" for layer in told["layers"] if layer["seed"]]
    spiking = {}
    if any(layer["neuron"] == "spiking" for layer in told["layers"]):
        spiking = {
            "steps": f"{told['steps']}, input {told['encoding']}",
            "weights drawn": f"once a {ensemble['resample']}",
        }
    scale = told["scale_dropout"]
    shortcuts = [f"{each['name']} adds {each['adds']}" for each in told["layers"] if each["adds"]]
    unit = "{code} / 2**{bits}, one unit, seed {seed:#x}".format(**scale) if scale else None
    return {
        "ensemble": f"{ensemble['members']} members, at most {ensemble['max_members']:,}; {drawn}",
        "reseed": ensemble["reseed"],
        **spiking,
        **({"scale dropout": unit} if unit else {}),
        **({"shortcuts": ", ".join(shortcuts)} if shortcuts else {}),
        "seeds": f"LFSR of {ensemble['lfsr_width']} bits: {', '.join(seeds) or 'none'}",
        "classes": ", ".join(told["classes"]),
        "digest": told["digest"],
        **{name: str(value) for name, value in _flat(told["figures"])},
    }


def _print_rows(rows: list[dict[str, str]], console: Console) -> None:
    """Print a table; in a terminal too narrow for it, a list for each row."""
    headings = list(rows[0])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for row in rows:
        table.add_row(*(escape(row.get(heading, "")) for heading in headings))
    unlimited = console.options.update(width=10_000)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
        console.print()
    else:
        for row in rows:
            _print_facts(row, console)


def _print_facts(facts: Mapping[str, str], console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(escape(name), escape(value))
    console.print(table)
    console.print()


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every figure with its place in the tree, as in "test.accuracy"."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show a model: layers, codes, folding, cycles, memory, ensemble, recorded figures.

    A stochastic weight is drawn anew for every member. Cycles are those of one vector; layers
    overlap, so a member costs the slowest layer that runs per member.

    Example: bbnn info models/fashion-mlp.safetensors
    """
    told = summary(load(model))
    if as_json:
        emit(told)
    else:
        show(told, Console())
