"""`bbnn device`: what physical sources of randomness cost, over time and over chips."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from bbnn import correction as registers
from bbnn import data
from bbnn.cli import device_table, emit, study_options
from bbnn.cli.images import default_ood, default_sample
from bbnn.description import Network
from bbnn.errors import require, require_int
from bbnn.model_file import load
from golden.devices.cases import mtj_cases, pcm_cases
from golden.devices.correction import CORRECTIONS, Correction
from golden.devices.mapping import Cells
from golden.devices.mtj import Junctions
from golden.devices.study import DeviceStudy, Maker, Point, Sets, Study
from golden.network import checked_members

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
PCM_OPTIONS = {
    "programming": "verify or open_loop.",
    "read_noise": "iid, slow+fast or off.",
    "mapping": "Of probabilities to conductances: exact, or linear in lambda.",
    "noise_cells": "A pair of them per synapse, row or column.",
    "noise_conductance": "Of the noise cells, uS.",
    "base": "Conductance of the weight cell that carries nothing, uS.",
    "limit": "Certain weights stand at so many deviations.",
    "residual": "What verifying leaves, uS.",
    "window": "A chip keeps noise slower than so many seconds (slow+fast).",
    "comparator_offset": "Deviation of the comparators' offsets, uS.",
    "programming_scale": "Times the noise of programming.",
    "drift_scale": "Times the drift exponents.",
}
MTJ_OPTIONS = {
    "spread": "Relative deviation of the critical currents.",
    "barrier_spread": "Relative deviation of the thermal barriers.",
    "stuck": "Share of modules stuck, half of them at drop.",
    "barrier": "Thermal barrier Delta.",
    "pulse": "Seconds of a pulse.",
}


def device_options(kind: type, texts: Mapping[str, str]) -> Callable[[Any], Any]:
    """Return a decorator that gives a command an option for each field of a device."""

    def decorate(function: Any) -> Any:
        for name, text in reversed(list(texts.items())):
            default = getattr(kind(), name)
            flag, told = f"--{name.replace('_', '-')}", f"{text} [{default}]"
            function = click.option(flag, name, type=type(default), help=told)(function)
        return function

    return decorate


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--device", default="pcm", show_default=True, help="pcm or mtj.")
@click.option("--time", "times", help="Since programming [1h,1d,30d,1y].")
@click.option("--chips", default=20, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Number of the first chip.")
@click.option("--members", type=int, help="Members per image [the model's own].")
@click.option("--dataset", help=f"{', '.join(data.NAMES)} [the sample of the network's own set].")
@click.option("--ood", help="A data set, or noise [the other of mnist and fashion-mnist].")
@click.option("--images", "count", type=int, help="Measure the first so many [all others].")
@click.option("--calibration", default=256, show_default=True, help="The last so many calibrate.")
@click.option("--logit-correction", "correction", default="affine", help="affine, offset or off.")
@click.option(
    "--save-correction",
    "saved",
    type=click.Path(path_type=Path),
    help="Write the correction of a single chip in the last case, for registers.",
)
@click.option("--no-drift-compensation", "drifting", is_flag=True, help="Leave it out.")
@click.option("--reads", is_flag=True, help="Read the devices, not their effective codes.")
@click.option("--bits", type=int, help="Of effective codes [8].")
@device_options(Cells, PCM_OPTIONS)
@device_options(Junctions, MTJ_OPTIONS)
@study_options.SWEEP[0]
@study_options.SWEEP[1]
@click.option("--report", "picture", type=click.Path(path_type=Path), help="Draw into this PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    device: str,
    chips: int,
    seed: int,
    members: int | None,
    dataset: str | None,
    ood: str | None,
    count: int | None,
    calibration: int,
    correction: Correction,
    results: Path | None,
    scheduler: str | None,
    saved: Path | None,
    picture: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Measure what the devices that make the randomness of MODEL cost.

    PCM samples its weights: programming noise, drift, 1/f read noise. MTJs decide its dropout:
    spread of their critical currents, stuck ones. The table has means over chips, and their
    spread, with no correction, with each and with both. docs/devices.md says what is modelled.

    Example: bbnn device models/fashion-mlp.safetensors --time 1h,1y --chips 5
    """
    require(device in ("pcm", "mtj"), "--device", "pcm or mtj", device)
    known = correction in CORRECTIONS
    require(known, "--logit-correction", f"one of {', '.join(CORRECTIONS)}", correction)
    require_int("--chips", chips, 1, 10_000)
    require_int("--seed", seed, 0, 2**32 - 1 - chips)
    if picture is not None:
        require(picture.parent.is_dir(), "--report", "a file in an existing folder", str(picture))
    network = load(model)
    if saved is not None:
        require(chips == 1, "--chips", "1 with --save-correction", chips)
        require(correction != "off", "--logit-correction", "on with --save-correction", correction)
        require(saved.parent.is_dir(), "--save-correction", "in an existing folder", str(saved))
    chosen = {
        name: value for name, value in given.items() if value is not None and value is not False
    }
    maker = pcm(network, chosen) if device == "pcm" else mtj(network, chosen)
    meant, cases = maker()
    dataset = dataset or default_sample(network)
    ood = ood or default_ood(dataset)[0]
    sets = images_of(dataset, ood, count, calibration)
    members = checked_members(meant, members)
    numbers = range(seed, seed + chips)
    points = [
        Point(case=case.name, compensated=case.compensated, chip=chip)
        for chip in numbers
        for case in cases
    ]
    study = DeviceStudy(maker, sets, members, correction)
    # Times and chips are the points' own: a file of results may have others.
    fixed = {name: chosen[name] for name in chosen if name not in ("times", "drifting")}
    settings = {
        "device": device,
        "settings": fixed,
        "dataset": dataset,
        "ood": ood,
        "images": len(sets.images),
        "calibration": len(sets.calibration),
        "members": members,
        "logit_correction": correction,
    }
    measured = study_options.measure(network, study, points, settings, results, scheduler)
    figures: dict[tuple[str, bool, Correction], list[dict[str, float]]] = {}
    for point, found in measured.items():
        for place, kind in enumerate(study.kinds(point.case)):
            each = {name: values[place] for name, values in found.items()}
            figures.setdefault((point.case, point.compensated, kind), []).append(each)
    if saved is not None:
        output = Study(meant, sets, members).calibrated(*cases[-1].on_chip(seed), correction)
        registers.save_correction(network, registers.Correction.of(output), saved)
    told = {
        "model": network.name,
        "device": device,
        "settings": chosen,
        "dataset": dataset,
        "ood": ood,
        "images": len(sets.images),
        "calibration": len(sets.calibration),
        "members": members,
        "chips": list(numbers),
        "rows": [device_table.row(*place, each) for place, each in figures.items()],
    }
    if picture is not None:
        device_table.draw(picture, told)
    if as_json:
        emit(told)
    else:
        device_table.show(told)


def pcm(network: Network, chosen: dict[str, Any]) -> Maker:
    """Return what makes the ideal network and its cases on PCM; raise on an option of the MTJ."""
    refuse(chosen, "pcm", MTJ_OPTIONS)
    cells = Cells(**{name: chosen[name] for name in PCM_OPTIONS if name in chosen})
    times = parsed(chosen.get("times", "1h,1d,30d,1y"))
    compensations = [False] if chosen.get("drifting") else [False, True]
    bits = require_int("--bits", chosen.get("bits", 8), 1, 8)
    reads = chosen.get("reads", False)
    return partial(pcm_cases, network, cells, times, compensations, bits, reads)


def mtj(network: Network, chosen: dict[str, Any]) -> Maker:
    """Return what makes the ideal network and its cases on MTJs; raise on an option of the PCM."""
    refuse(chosen, "mtj", [*PCM_OPTIONS, "times", "drifting", "reads", "bits"])
    return partial(mtj_cases, network, Junctions(**chosen))


def refuse(chosen: Mapping[str, Any], device: str, foreign: Iterable[str]) -> None:
    """Raise `InputError` if an option was given that the device does not know."""
    names = {"times": "time", "drifting": "no-drift-compensation"}
    wrong = [names.get(name, name).replace("_", "-") for name in foreign if name in chosen]
    require(not wrong, "options", f"those of --device {device}", wrong)


def parsed(times: str) -> dict[str, float]:
    """Return the seconds of each of some times, such as 1h,30d, in order."""
    result = {}
    for text in map(str.strip, times.split(",")):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdy])", text)
        require(match is not None, "--time", "times since programming such as 1h,30d,1y", text)
        assert match is not None
        result[text] = float(match[1]) * UNITS[match[2]]
    return result


def images_of(dataset: str, ood: str, count: int | None, calibration: int) -> Sets:
    """Return the images of a study; those that calibrate are the set's last, and not measured."""
    images, labels = data.load(dataset)
    require_int("--calibration", calibration, 2, len(images) - 1)
    left = len(images) - calibration
    count = left if count is None else require_int("--images", count, 1, left)
    return Sets(
        images=images[:count],
        labels=labels[:count].astype(np.int64),
        ood=data.ood(ood, images[:count]),
        calibration=images[-calibration:],
    )
