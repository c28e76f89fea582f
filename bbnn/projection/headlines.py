"""A row of the headlines: what a paper says, what comes out here, and what makes the difference.

Nothing here is chosen so that a ratio fits. What a row takes from a paper as given, such as its T,
is named in GIVEN with where it was read, and is no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bbnn.description import Network, deterministic
from bbnn.projection import baselines as rivals
from bbnn.projection.constants import Prices, Range, ranged
from bbnn.projection.counts import Mode, counted, split
from bbnn.projection.model import project
from bbnn.sparsity import sampled_weights


@dataclass(frozen=True, slots=True)
class Given:
    """A number from elsewhere that a row starts from."""

    value: float
    citation: str


GIVEN = {
    "members": Given(
        10, "T = 10 is what the 8.8 of arXiv:2411.07842 fits by operations; its T was not readable"
    ),
    "sampled": Given(0.14, "86 % fewer sampled parameters, abstract of arXiv:2411.07842"),
    "bynqnet_images_per_second": Given(131e3, "Awano, Hashimoto, BYNQNet, DATE 2020, XC7Z020"),
    "bynqnet_images_per_joule": Given(44.7e3, "Awano, Hashimoto, BYNQNet, DATE 2020, XC7Z020"),
    "long_steps": Given(
        16, "time steps of QCFS's own code, Bu et al., ICLR 2022, arXiv:2303.04347"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A claim. ours : by what it is of; empty where it cannot be computed, and `missing` says why.

    kind : of our figures: "counted", "projected" or "measured" (with the golden model).
    """

    claim: str
    paper: str
    source: str
    kind: str
    ours: Mapping[str, Range] = field(default_factory=dict)
    unit: str = "x"
    assumption: str
    command: str
    missing: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row for `--json`."""
        return asdict(self)


KATTI, BAYES2IMC = "arXiv:2411.07842", "arXiv:2411.07902"
BSNN, SCALE, SPATIAL = "arXiv:2401.15453", "arXiv:2311.15816", "arXiv:2306.10185"


def sampled_parameters(networks: Mapping[str, Network]) -> Row:
    """Return the share of weights that need no sampling, in networks that ship."""
    shares = {}
    for name, network in networks.items():
        weights = sum(layer.codes.size for layer in network.layers if layer.probability_bits)
        share = 100 * (1 - sum(map(sampled_weights, network.layers)) / weights)
        shares[name] = Range(share, share, share)
    return Row(
        claim="86 % fewer sampled parameters",
        paper="up to 86 %",
        source=KATTI,
        kind="counted",
        ours=shares,
        unit="%",
        assumption="rows without a coin, nothing given up; training did not care where coins are."
        " `bbnn sparsify --budget 0.14` makes it 86 % by decree and says what that costs",
        command="bbnn sparsify models/fashion-mlp.safetensors --budget 0.14",
    )


def area(dense: Network, sparse: Network, prices: Prices) -> Row:
    """Return how much smaller the pipelined core is with sparse layers and rows."""
    pipelined, apart = Mode(pipelined=True), Mode(pipelined=True, apart=True)
    ours = {
        "core": ranged(
            project(dense, "pcm", prices, pipelined).area
            / project(sparse, "pcm", prices, apart).area
        ),
        "weights, fixed rows of later layers copied": _exactly(
            _cells(dense, pipelined) / _cells(sparse, apart)
        ),
        "weights, every fixed row once": _exactly(
            _cells(dense, pipelined) / _cells(sparse, apart, once=True)
        ),
    }
    return Row(
        claim="5.3x less area",
        paper="up to 5.3",
        source=KATTI,
        kind="projected",
        ours=ours,
        assumption="VGGBinaryConnect, pipelined, T = 10, fc1 to fc3 ensembled, 14 % of their rows"
        " sampled (the paper's 86 % given). Members read fixed rows of fc2 and fc3 on inputs of"
        " their own, so these are copied; and lanes and buffers do not shrink like cells",
        command="bbnn headlines",
    )


def energy(dense: Network, sparse: Network, prices: Prices) -> Row:
    """Return how much less energy an inference takes with sparse layers and rows."""
    plain, apart = Mode(), Mode(apart=True)
    before, after = project(dense, "pcm", prices, plain), project(sparse, "pcm", prices, apart)
    return Row(
        claim="8.8x less energy",
        paper="up to 8.8",
        source=KATTI,
        kind="projected",
        ours={
            "core": ranged(before.energy / after.energy),
            "operations": _exactly(before.executed / after.executed),
            "operations, sums of fixed rows taken anew": _exactly(
                before.executed / project(sparse, "pcm", prices, plain).executed
            ),
        },
        assumption="as above, one copy. A fixed weight takes two device reads, a sampled one four;"
        " in convolutions, fixed here, that comes on top of the operations",
        command="bbnn headlines",
    )


def earlier(sparse: Network, prices: Prices) -> Row:
    """Return what is missing to compare with the best earlier accelerator."""
    own = project(sparse, "pcm", prices, Mode(apart=True))
    found, done = ranged(own.efficiency(own.nominal)), ranged(own.efficiency(own.executed))
    return Row(
        claim="2.9x the power efficiency of the best earlier accelerator",
        paper="2.9",
        source=KATTI,
        kind="projected",
        assumption=f"ours alone: {found.typical:,.0f} GOPS/W"
        f" ({found.low:,.0f} to {found.high:,.0f}) by nominal operations, {done.typical:,.0f} by"
        " executed ones",
        command="bbnn headlines",
        missing="which accelerator that is, and its GOPS/W: the paper's table was not readable",
    )


def against_sram(dense: Network, prices: Prices) -> tuple[Row, Row]:
    """Return the efficiencies over SRAM cores of several precisions: in all, and by power."""
    own = project(dense, "pcm", prices)
    total, power = {}, {}
    for bits in rivals.PRECISIONS:
        other = project(rivals.recoded(dense, bits), "sram", prices)
        name = f"{bits} bit{'s' * (bits > 1)}"
        power[name] = ranged(other.energy / own.energy)
        total[name] = ranged(other.energy * other.area / (own.energy * own.area))
    shared = project(dense, "shared", prices)
    name = "1 bit, shared noise plane"
    power[name] = ranged(shared.energy / own.energy)
    total[name] = ranged(shared.energy * shared.area / (own.energy * own.area))
    assumption = (
        "VGGBinaryConnect, one copy. The energy of a bit of SRAM against that of four PCM reads"
        " decides, and how many bits a probability has; read pulses of 250 ns would turn it round"
    )
    return (
        Row(
            claim="GOPS/W/mm2 against an equivalent SRAM core",
            paper="3.8 to 9.6",
            source=BAYES2IMC,
            kind="projected",
            ours=total,
            assumption=assumption,
            command="bbnn headlines",
        ),
        Row(
            claim="GOPS/W against an equivalent SRAM core",
            paper="2.2 to 5.6",
            source=BAYES2IMC,
            kind="projected",
            ours=power,
            assumption=assumption,
            command="bbnn headlines",
        ),
    )


def per_dsp() -> Row:
    """Return why there is no figure per DSP slice."""
    return Row(
        claim="6.5x the GOPS/DSP on Zynq-7000",
        paper="6.5",
        source=BSNN,
        kind="counted",
        assumption="`bbnn synth` exits with 2 if a DSP slice is used",
        command="bbnn synth models/mnist-levels.safetensors",
        missing="a divisor: this design uses 0 DSP slices, so GOPS/DSP is undefined",
    )


def zynq_power(networks: Mapping[str, Network], prices: Prices) -> Row:
    """Return the power of a Bayesian accelerator on the same part over that of ours."""
    watts = GIVEN["bynqnet_images_per_second"].value / GIVEN["bynqnet_images_per_joule"].value
    ours = {}
    for name, network in networks.items():
        ours[name] = ranged(watts / project(network, "fpga", prices).power)
    return Row(
        claim="up to 30x less power on Zynq-7000",
        paper="up to 30",
        source=BSNN,
        kind="projected",
        ours=ours,
        assumption="against BYNQNet's 2.9 W, its images a second over its images a joule; what the"
        " paper compares with was not readable. Another network, another rate: never rank by this",
        command="bbnn project models/fashion-mlp.safetensors --technology fpga",
    )


def dropout_modules(spatial: Network) -> Row:
    """Return the dropout modules that spatial dropout saves."""
    own, wise = rivals.modules(spatial)
    ours = {
        f"layer {layer.name}": _exactly(layer.rows / layer.maps)
        for layer in spatial.layers
        if layer.dropout is not None
    }
    return Row(
        claim="9x fewer dropout modules",
        paper="9 a layer",
        source=SPATIAL,
        kind="counted",
        ours={**ours, f"all of {spatial.name}": _exactly(wise / own)},
        assumption="a module a word line against one an input map: K*K of a K x K convolution, 1 of"
        " a fully connected layer",
        command="bbnn info models/fashion-spatial.safetensors",
    )


def dropout_energy(spatial: Network, prices: Prices) -> Row:
    """Return the energy that spatial dropout saves: of its modules, and of the inference."""
    return Row(
        claim="94.11x less energy with spatial dropout",
        paper="94.11",
        source=SPATIAL,
        kind="projected",
        ours=_dropout(spatial, prices),
        assumption="element-wise dropout decides anew for every word line at every position. The"
        " paper does not say in its abstract whether a module, a layer or an inference is meant",
        command="bbnn project models/fashion-spatial.safetensors --technology mtj",
    )


def one_unit(scale: Network, prices: Prices) -> Row:
    """Return the units and the energy that scale dropout saves."""
    own, wise = rivals.modules(scale)
    return Row(
        claim="one stochastic unit, more than 100x less energy",
        paper="more than 100",
        source=SCALE,
        kind="projected",
        ours={"stochastic units": _exactly(wise / own), **_dropout(scale, prices)},
        assumption="one bit a layer and member against one a neuron and position. The energy of an"
        " inference is that of reading weights in both, so it hardly moves",
        command="bbnn project models/fashion-scale.safetensors --technology mtj",
    )


def accuracy(networks: Mapping[str, Network]) -> Row:
    """Return what the ensemble adds to the accuracy of the deterministic pass, in points."""
    ours, lacking = {}, []
    for name, network in networks.items():
        test = network.figures.get("test")
        if test is None:
            lacking.append(name)
            continue
        ours[name] = _exactly(100 * (test["accuracy"] - test["deterministic"]["accuracy"]))
    return Row(
        claim="up to 1 % better accuracy",
        paper="up to 1 point",
        source=SCALE,
        kind="measured",
        ours=ours,
        unit="points",
        assumption="over this project's own deterministic pass, on 10,000 test images, as the model"
        " files say; the paper compares with other methods on CIFAR-10",
        command="bbnn evaluate models/fashion-scale.safetensors",
        missing="" if ours else f"test figures in {', '.join(lacking)}",
    )


def _dropout(network: Network, prices: Prices) -> dict[str, Range]:
    members = network.ensemble.members
    own = project(network, "mtj", prices)
    other = rivals.element(network, "mtj", prices, Mode(), members)
    once = project(deterministic(network), "mtj", prices, Mode(), 1)
    return {
        "modules": ranged(other.energies["randomness"] / own.energies["randomness"]),
        "an inference": ranged(other.energy / own.energy),
        "an inference, over the plain network's": ranged(own.energy / once.energy),
    }


def _cells(network: Network, mode: Mode, once: bool = False) -> float:
    """Return the weights held in all copies; `once`: fixed rows of every layer in one only."""
    works = counted(network, network.ensemble.members, mode)
    if not once:
        return sum(work.cells for work in works)
    return sum(
        work.layer.columns * (work.copies * split(work.layer).sampled + split(work.layer).fixed)
        for work in works
    )


def _exactly(value: float) -> Range:
    return Range(value, value, value)
