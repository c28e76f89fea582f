"""The driver, unmodified, against the simulated shell: it says what golden says, or one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.correction import Correction, corrected, ranges
from bbnn.description import Network
from bbnn.early_exit import Exit, Rule
from bbnn.interface import seed_registers
from boards.driver import Accelerator, DriverError
from boards.driver.backend import Region
from boards.driver.simulation import Simulated, Simulation
from boards.shell.describe import describe
from boards.shell.simulator import Simulator, build
from golden.early_exit import counted_members, only_counted
from golden.metrics import entropy, mean_softmax, mutual_information, softmax
from golden.network import logits
from golden.self_test import random_words
from networks import random_images, random_network
from systems import scale_network

NETWORK = random_network(5, sizes=(10, 5, 3), probability_bits=(1, 1), members=2)
BUILDS = Path(__file__).parents[1] / "build/tests/shells"
DRIVER = Path(__file__).parents[1] / "boards/driver"


def simulation(
    *plusargs: str,
    network: Network = NETWORK,
    simulator: Simulator = "icarus",
    region: Region | None = None,
) -> Simulation:
    """Start a simulated shell, built once for every content."""
    command = build(network, BUILDS, simulator)
    return Simulation(command, plusargs=plusargs, region=region)


@pytest.fixture(scope="module")
def accelerator() -> Iterator[Accelerator]:
    with Accelerator(simulation("+rate=40", "+latency=30"), describe(NETWORK)) as made:
        yield made


@pytest.mark.icarus
@pytest.mark.parametrize("members", [1, 2, 7])
@pytest.mark.parametrize("count", [1, 5])
def test_equal_to_golden(accelerator: Accelerator, count: int, members: int) -> None:
    """Every logit of every member, and all that follows from them."""
    images = random_images(NETWORK, count)
    golden = logits(NETWORK, images, members)
    got = accelerator.predict(images, members)
    assert got.integers.shape == (members, count, 3)
    assert np.array_equal(got.integers, golden.transpose(1, 0, 2))
    assert np.array_equal(got.logits, got.integers / 2**10)
    fraction = NETWORK.output.fraction_bits
    q = mean_softmax(golden, fraction)
    member_q = softmax(golden, fraction)
    votes = (golden.argmax(2)[..., None] == np.arange(3)).sum(1)
    assert np.array_equal(got.votes, votes)
    assert np.allclose(got.probabilities, q)
    assert np.array_equal(got.labels, q.argmax(1))
    assert np.allclose(got.entropy, entropy(q))
    assert np.allclose(got.mutual_information, mutual_information(member_q))


@pytest.mark.icarus
@pytest.mark.parametrize("reseed", ["image", "never"])
def test_batches_are_one_stream(reseed: str) -> None:
    """Images in several transfers are images one after another, where members run on, too."""
    network = replace(NETWORK, ensemble=replace(NETWORK.ensemble, reseed=reseed))
    images = random_images(network, 7)
    with Accelerator(simulation(network=network), describe(network), batch=3) as made:
        for _ in range(2):
            got = made.predict(images, 3).integers
            assert np.array_equal(got, logits(network, images, 3).transpose(1, 0, 2))


@pytest.mark.slow
def test_verilated() -> None:
    """The same under Verilator, with images of more than a burst and wide seeds."""
    network = random_network(
        8, sizes=(150, 6, 4), probability_bits=(2, 1), lfsr_width=64, lanes=((10, 3), (6, 4))
    )
    images = random_images(network, 20)
    with Accelerator(
        simulation("+rate=20", network=network, simulator="verilator"), describe(network)
    ) as made:
        got = made.predict(images, 4).integers
    assert np.array_equal(got, logits(network, images, 4).transpose(1, 0, 2))


def self_tested(network: Network, change: int = 0) -> dict[str, Any]:
    """Return a description with a self-test; change : what is added to one golden logit."""
    images = random_images(network, 2, seed=9)
    golden = logits(network, images, 3)
    golden[1, 2, 0] += change
    return describe(network, test_images=images, test_logits=golden)


@pytest.mark.icarus
def test_self_test() -> None:
    Accelerator(simulation(), self_tested(NETWORK)).close()
    told = r"^the self-test must be 6/6 members equal to golden, not 5$"
    with pytest.raises(DriverError, match=told):
        Accelerator(simulation(), self_tested(NETWORK, change=1))


RANDOM = {
    "layers": NETWORK,
    "wide-words-and-the-scale": scale_network(lfsr_width=64),
}


@pytest.mark.icarus
@pytest.mark.parametrize("network", RANDOM.values(), ids=RANDOM)
def test_random_streams_are_tested(network: Network) -> None:
    """Each stream's words, then members as ever; one bit that differs is told."""
    words = random_words(network, 40)
    assert words.shape == (len(seed_registers(network)) * 32 // network.lfsr_width, 40)
    images = random_images(network, 2)
    with Accelerator(simulation(network=network), describe(network, test_words=words)) as made:
        assert made.words_equal == words.size
        got = made.predict(images, 3).integers
    assert np.array_equal(got, logits(network, images, 3).transpose(1, 0, 2))
    words[-1, 39] ^= 1
    told = rf"^random stream {len(words)} must be 40/40 words equal to golden, not 39$"
    with pytest.raises(DriverError, match=told):
        Accelerator(simulation(network=network), describe(network, test_words=words))


SEEDS = {"SEED_HIDDEN_0": 0x1234_5678, "SEED_OUTPUT": 0x8765_4321}


def reseeded() -> Network:
    """Return the network with `SEEDS`, layer by layer."""
    pairs = zip(NETWORK.layers, SEEDS.values(), strict=True)
    layers = [replace(x, noise=x.noise and replace(x.noise, seed=seed)) for x, seed in pairs]
    return replace(NETWORK, layers=tuple(layers))


@pytest.mark.icarus
def test_seeds_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the description, whatever the hardware's own are; one that does not stay is told."""
    told, images = {**describe(NETWORK), "seeds": SEEDS}, random_images(NETWORK, 3)
    with Accelerator(simulation(), told) as made:
        got = made.predict(images, 3).integers.transpose(1, 0, 2)
    assert np.array_equal(got, logits(reseeded(), images, 3))
    assert not np.array_equal(got, logits(NETWORK, images, 3))
    write = Simulation.write
    monkeypatch.setattr(Simulation, "write", lambda b, o, v: o == 0x44 or write(b, o, v))
    expected = r"^core\.SEED_OUTPUT must be 0x87654321 as written, not 0x"
    with pytest.raises(DriverError, match=expected):
        Accelerator(simulation(), told)


PACKET = {0: "image numbers", 4: "sums and votes", 7: "sums and votes", 10: "sums and votes"}
PACKET |= {13: "sums and votes"}


@pytest.mark.icarus
@pytest.mark.parametrize("word", PACKET)
def test_a_wrong_packet_is_told(word: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever word is wrong: image number, logit, sum, vote or T."""
    invalidate = Simulated.invalidate

    def spoilt(buffer: Simulated) -> None:
        invalidate(buffer)
        buffer.array.view(np.uint32)[14 + word] += 1  # of the second packet

    monkeypatch.setattr(Simulated, "invalidate", spoilt)
    with (
        Accelerator(simulation(), describe(NETWORK)) as made,
        pytest.raises(DriverError, match=PACKET[word]),
    ):
        made.predict(random_images(NETWORK, 3), 2)


def changed(**entries: Any) -> dict[str, Any]:
    return {**describe(NETWORK), **entries}


@pytest.mark.icarus
def test_correction() -> None:
    """Constants are loaded, changed in part, and the model's own again; bad ones are refused."""
    last = NETWORK.layers[-1]
    neuron = replace(NETWORK.output, registers=True)
    network = replace(NETWORK, layers=(*NETWORK.layers[:-1], replace(last, neuron=neuron)))
    images = random_images(network, 3)
    own = Correction.of(network.output)
    low, high = ranges(network)["offset"]
    other = Correction(scale=(0, *own.scale[1:]), offset=(low, high, -1))
    with Accelerator(simulation(network=network), describe(network)) as made:
        for given, meant in (
            ((other.scale, other.offset), other),
            ((None, np.array(other.offset)), replace(own, offset=other.offset)),
            ((), own),
        ):
            made.correct(*given)
            golden = logits(corrected(network, meant), images, 2)
            assert np.array_equal(made.predict(images, 2).integers, golden.transpose(1, 0, 2))
        for given, told in (
            (((1, 2), None), "scale must be 3 integers, one a class, not"),
            (((1, 2, 0.5), None), "scale must be 3 integers, one a class, not"),
            (((1, 2, -1), None), r"scale\[2\] must be an integer in 0"),
            ((None, (0, high + 1, 0)), rf"offset\[1\] must be an integer in {low}..{high}, not"),
        ):
            with pytest.raises(DriverError, match=told):
                made.correct(*given)


@pytest.mark.icarus
def test_early_exit() -> None:
    """The driver counts the members that count, and no others."""
    network = replace(NETWORK, ensemble=replace(NETWORK.ensemble, early_exit=True))
    images = random_images(network, 5)
    golden = logits(network, images, 6)
    with Accelerator(simulation(network=network), describe(network)) as made:
        rules: dict[Rule, int] = {"vote": 0, "margin": 200, "off": 0}
        for rule, margin in rules.items():
            got = made.predict(images, 6, rule=rule, margin=margin / 2**10)
            counted = counted_members(golden, Exit(rule=rule, margin=margin))
            assert (counted < 6).any() == (rule != "off")
            assert got.counted.tolist() == counted.tolist()
            shown = only_counted(golden, counted)
            assert np.array_equal(got.integers, shown.transpose(1, 0, 2))
            for image, count in enumerate(counted.tolist()):
                member_q = softmax(golden[image : image + 1, :count], 10)
                assert np.allclose(got.probabilities[image], member_q.mean(axis=1)[0])
                expected = mutual_information(member_q)[0]
                assert np.isclose(got.mutual_information[image], expected)
        refused: tuple[tuple[dict[str, Any], str], ...] = (
            ({"rule": "all"}, "rule must be one of off, vote, margin, not all"),
            ({"rule": "vote", "margin": 1}, "margin must be at least 0, and 0 unless"),
            ({"rule": "margin", "margin": -1}, "margin must be at least 0, and 0 unless"),
        )
        for options, told in refused:
            with pytest.raises(DriverError, match=told):
                made.predict(images, 6, **options)


@pytest.mark.icarus
def test_no_early_exit(accelerator: Accelerator) -> None:
    with pytest.raises(DriverError, match="rule must be off: this core has no early exit"):
        accelerator.predict(random_images(NETWORK, 1), 2, rule="vote")


@pytest.mark.icarus
def test_constants_cannot_be_corrected(accelerator: Accelerator) -> None:
    with pytest.raises(DriverError, match="constants must be registers to be corrected, not fixed"):
        accelerator.correct()


@pytest.mark.icarus
def test_another_build_is_refused() -> None:
    build_of = describe(NETWORK)["model_digest"][:8]
    told = rf"^the bitstream must be build 12345678 \(model random_network\), not build {build_of}$"
    with pytest.raises(DriverError, match=told):
        Accelerator(simulation(), changed(model_digest="12345678" + "0" * 56))


@pytest.mark.icarus
def test_another_design_is_refused() -> None:
    """Here, registers that are not where they should be."""
    told = describe(NETWORK)
    told["registers"]["core"][0]["address"] = 0x14
    with pytest.raises(
        DriverError, match=r"^core\.ID at 0x40000014 must be 0x42424e4e, not 0x0000"
    ):
        Accelerator(simulation(), told)


@pytest.mark.icarus
def test_a_dead_bus_is_told() -> None:
    told = r"^the bus at 0x40000000 must be answering, not silent$"
    with pytest.raises(DriverError, match=told):
        Accelerator(simulation("+held"), describe(NETWORK))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("start", "told"), [(0x0FFF_FF80, "dma read_decerr"), (0x101F_FF80, "dma write_decerr")]
)
def test_an_error_of_the_dma_is_told(start: int, told: str) -> None:
    """Buffers before the memory, or with their end behind it; then it works again."""
    images = random_images(NETWORK, 5)
    backend = simulation()
    with Accelerator(backend, describe(NETWORK)) as made:
        right = backend.region
        backend.region = Region(start, 1 << 20)
        with pytest.raises(DriverError, match=rf"^the transfer of 60 bytes .* not {told};.*\d$"):
            made.predict(images, 2)
        backend.region = right
        got = made.predict(images, 2).integers
        assert np.array_equal(got, logits(NETWORK, images, 2).transpose(1, 0, 2))


@pytest.mark.icarus
def test_a_transfer_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet that should be longer than it is never ends; the driver does."""
    monkeypatch.setattr("boards.driver.movers.GRACE", 1e-4)
    told = describe(NETWORK)
    backend = simulation()
    busy = []
    # Memory is given back when nothing writes to it any more.
    monkeypatch.setattr(
        backend.region, "give", lambda offset: busy.append(backend.read(0x100C) & 1)
    )
    with Accelerator(backend, told) as made:
        made.description.packet[-1]["words"] += 1
        with pytest.raises(DriverError, match=r"^the transfer .* must be done, not dma busy; "):
            made.predict(random_images(NETWORK, 1), 2)
    assert busy == [0, 0]


@pytest.mark.icarus
def test_a_missing_flush_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boards.driver.simulation.Simulated.flush", lambda buffer: None)
    images = random_images(NETWORK, 2)
    with Accelerator(simulation(), describe(NETWORK)) as made:
        got = made.predict(images, 2).integers
    assert not np.array_equal(got, logits(NETWORK, images, 2).transpose(1, 0, 2))


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("images", "members", "told"),
    [
        (np.zeros((2, 10)), 2, "images must be uint8, not float64"),
        (np.zeros((2, 9), np.uint8), 2, r"images must be of shape \(N, 10\), N > 0, not \(2, 9\)"),
        (np.zeros(10, np.uint8), 2, "images must be of shape"),
        (np.zeros((0, 10), np.uint8), 2, "images must be of shape"),
        (np.zeros((2, 10), np.uint8), 0, r"members must be an integer in 1\.\.\d+, not 0"),
        (np.zeros((2, 10), np.uint8), 1.5, "members must be an integer"),
    ],
)
def test_bad_input(accelerator: Accelerator, images: Any, members: Any, told: str) -> None:
    with pytest.raises(DriverError, match=f"^{told}"):
        accelerator.predict(images, members)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "must be JSON"),
        ('{"format_version": 2}', "format_version must be 1, not 2"),
        ('{"format_version": 1}', "must have an entry 'name', not lack it"),
    ],
)
def test_bad_description(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "accelerator.json"
    path.write_text(content)
    with pytest.raises(DriverError, match=told):
        Accelerator(0x4000_0000, path)
    with pytest.raises(DriverError, match="must be readable, not this: No such file"):
        Accelerator(tmp_path / "x.bit", tmp_path / "missing.json")


def test_unknown_target(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"^the target must be a \.bit file, .*, not board$"):
        Accelerator("board", describe(NETWORK))
    with pytest.raises(DriverError, match=r"x\.bit must be a bitstream, not missing$"):
        Accelerator(tmp_path / "x.bit", describe(NETWORK))


def test_it_works_alone(tmp_path: Path) -> None:
    """Away from this repository nothing but NumPy and the standard library is imported."""
    package = tmp_path / "boards"
    (package / "driver").mkdir(parents=True)
    (package / "__init__.py").touch()
    for path in DRIVER.glob("*.py"):
        (package / "driver" / path.name).write_bytes(path.read_bytes())
    code = """
import sys
before = set(sys.modules)
import boards.driver, boards.driver.simulation, boards
assert boards.__file__.startswith(sys.argv[1]), boards.__file__
names = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
extra = {name for name in names if name not in before and "." not in name}
print(sorted(extra - {"numpy", "boards"}))
"""
    run = subprocess.run(
        [sys.executable, "-S", "-c", code, str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{Path(np.__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("[]\n", "")
