"""Early exit: golden's rules against counting, and the data path with whatever is in flight."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn import data
from bbnn.cli import group
from bbnn.cli.images import labelled_sample
from bbnn.description import Network
from bbnn.early_exit import Exit
from bbnn.errors import InputError
from bbnn.interface import pack_pixels, registers
from bbnn.model_file import load, save_network
from blocks import Recording, play
from golden.early_exit import counted_members, decided, only_counted
from golden.network import logits
from golden.studies.early_exit import curves
from hdl.data_path import DataPath
from hdl.generate import generate
from lite import OKAY, SLVERR
from networks import random_images, random_network
from simtools import reader, writer
from systems import (
    SUM,
    conv_network,
    dense_network,
    quantised_network,
    residual_front,
    residual_network,
    scale_network,
    skipping,
    spatial_network,
    spiking_network,
    split_network,
    split_pixels,
    split_spiking,
)
from tb.build import build
from tb.compare import packets
from tb.play import check_registers
from tb.setup import Setup
from tb.verify import verify
from test_correction import Registers
from test_data_path import seed_word

ROOT = Path(__file__).parents[1]
VOTE = Exit(rule="vote")


def early(network: Network, **ensemble: Any) -> Network:
    """Return `network` with early exit in its hardware."""
    return replace(network, ensemble=replace(network.ensemble, early_exit=True, **ensemble))


def test_vote_is_decided_exactly_where_no_continuation_changes_it() -> None:
    """All votes of three classes, up to five, and every way in which up to four more may fall."""
    states = [v for v in product(range(6), repeat=3) if 0 < sum(v) <= 5]
    for left in range(5):
        endings = [v for v in product(range(left + 1), repeat=3) if sum(v) == left]
        found = decided(np.array(states), left)
        for votes, is_decided in zip(states, found.tolist(), strict=True):
            winners = {int(np.argmax(np.add(votes, more))) for more in endings}
            assert is_decided == (winners == {int(np.argmax(votes))}), (votes, left)


def test_vote_gives_the_winner_of_all_members() -> None:
    rng = np.random.default_rng(8)
    drawn = rng.integers(-3, 4, (3000, 11, 4))
    drawn += rng.integers(0, 4, (3000, 1, 4))
    counted = counted_members(drawn, VOTE)
    votes = drawn.argmax(2)[..., None] == np.arange(4)
    counts = np.arange(11) < counted[:, None]
    winner = (votes & counts[..., None]).sum(1).argmax(1)
    assert (winner == votes.sum(1).argmax(1)).all()
    assert set(counted.tolist()) >= {6, 7, 8, 9, 10, 11}


@pytest.mark.parametrize("name", ["fashion-mlp", "mnist-mlp"])
def test_vote_on_real_images(name: str) -> None:
    """The vote of fewer members has the winner of all ten; its exits are a distribution."""
    network = load(ROOT / "models" / f"{name}.safetensors")
    images, _ = data.load(labelled_sample(network))
    drawn = logits(network, images[:300], 10)
    counted = counted_members(drawn, VOTE)
    votes = drawn.argmax(2)[..., None] == np.arange(10)
    counts = np.arange(10) < counted[:, None]
    winner = (votes & counts[..., None]).sum(1).argmax(1)
    assert (winner == votes.sum(1).argmax(1)).all()
    assert len(winner) == 300
    assert 5 <= counted.min() < counted.mean() < 8 < counted.max()


@pytest.mark.parametrize("seed", range(20))
def test_vote_on_random_networks(seed: int) -> None:
    network = random_network(seed)
    images = random_images(network, 40)
    drawn = logits(network, images, 9)
    counted = counted_members(drawn, VOTE)
    votes = drawn.argmax(2)[..., None] == np.arange(4)
    counts = np.arange(9) < counted[:, None]
    assert ((votes & counts[..., None]).sum(1).argmax(1) == votes.sum(1).argmax(1)).all()
    assert (counted < 9).any()


def test_margin() -> None:
    """At the first member from the second on whose sums part so far; all of them without one."""
    image = [[9, 0, 0], [0, 1, 0], [0, 2, 0], [9, 0, 1], [0, 0, 5]]
    drawn = np.array([image])
    leads = {2: 8, 3: 6, 4: 15}
    for margin, expected in ((0, 2), (8, 2), (9, 4), (15, 4), (16, 5)):
        assert counted_members(drawn, Exit(rule="margin", margin=margin)).tolist() == [expected]
        assert expected == next((t for t, lead in leads.items() if lead >= margin), 5)
    assert counted_members(drawn, Exit(rule="off")).tolist() == [5]
    assert only_counted(drawn, np.array([2]))[0].tolist() == [*image[:2], *[[0, 0, 0]] * 3]


def data_path(
    network: Network,
    rule: Exit,
    *,
    members: int = 6,
    wanted: bool = False,
    stall: int = 2,
    count: int = 3,
) -> Recording:
    """Simulate some images and compare every word of their packets with golden's."""
    images = random_images(network, count)
    dut = DataPath(network)
    drawn = logits(network, images, members)
    fields = packets(drawn, wanted, rule)
    order = ("image", *(["member_logits"] if wanted else []), "sums", "votes", "members")
    words = np.concatenate([fields[name].reshape(count, -1) for name in order], axis=1)
    beats = [
        {"data": int(word) % 2**32, "last": int(place == words.shape[1] - 1)}
        for packet in words
        for place, word in enumerate(packet)
    ]
    assert (fields["members"] < members).any()

    async def configure(ctx: Any) -> None:
        ctx.set(dut.members, members)
        ctx.set(dut.member_logits, wanted)
        ctx.set(dut.seeds, seed_word(network))
        writes = rule.register_writes
        ctx.set(dut.rule, writes["EXIT"])
        ctx.set(dut.margin, writes["MARGIN"])

    return play(
        dut,
        configure,
        writer(dut.i, pack_pixels(images).ravel().tolist(), stall),
        reader(dut.o, beats, stall),
        watched=[dut.o],
        cycles=200_000,
    )


CASES = {
    "coins": random_network,
    "fixed-front": partial(random_network, 5, probability_bits=(0, 1, 0)),
    "one-layer": partial(random_network, 3, sizes=(10, 3), probability_bits=(1,)),
    "stratified": partial(random_network, 5, probability_bits=(1, 2, 0), stratified=True),
    "unfolded": partial(random_network, 4, lanes=((12, 9), (9, 7), (7, 4))),
    "conv": partial(conv_network, input_shape=(4, 4, 1)),
    "spatial": partial(spatial_network, input_shape=(5, 5, 1)),
    "scale": partial(scale_network, input_shape=(6, 6, 1)),
    "quantised": partial(quantised_network, input_shape=(4, 4, 1), pool=SUM),
    "spiking": partial(
        spiking_network, input_shape=(4, 4, 1), encoding="rate", resample="step", steps=2
    ),
    "dense-spiking": partial(dense_network, "spiking", steps=3, encoding="rate"),
    "residual": partial(residual_front, input_shape=(3, 4, 1)),
    "residual-spiking": partial(residual_network, steps=2, input_shape=(4, 4, 1)),
    "skipping": lambda: skipping(quantised_network(input_shape=(4, 4, 1), pool=SUM)),
    "split": partial(split_network, input_shape=(6, 6, 1)),
    "split-pixels": split_pixels,
    "split-spiking": split_spiking,
}


LONG = ("residual-spiking", "residual", "skipping", "quantised")


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] if case in LONG else []) for case in CASES],
)
def test_what_is_in_flight_does_not_matter(case: str) -> None:
    """Images that end after two of six members follow each other in every kind of network."""
    data_path(early(CASES[case]()), Exit(rule="margin"), members=6)


@pytest.mark.parametrize("members", [3, 7])
@pytest.mark.parametrize("case", ["coins", "fixed-front", "one-layer", "stratified"])
def test_votes(case: str, members: int) -> None:
    """Images that end now here, now there, and with three members mostly not before the last."""
    data_path(early(CASES[case]()), VOTE, members=members, wanted=True, stall=3 * (members == 7))


def test_refused() -> None:
    with pytest.raises(InputError, match='early_exit must be false where reseed is "never"'):
        early(random_network(), reseed="never")
    with pytest.raises(InputError, match="early_exit must be false for a single class"):
        early(random_network(6, sizes=(6, 5, 1), probability_bits=(1, 1)))
    with pytest.raises(InputError, match="early_exit must be true or false, not 1"):
        replace(random_network().ensemble, early_exit=1)
    with pytest.raises(InputError, match=r"margin must be an integer in 0\.\.0, not 3"):
        Exit(rule="vote", margin=3)


@pytest.mark.slow
@pytest.mark.icarus
def test_whole_core(tmp_path: Path) -> None:
    """Every packet of the generated core, from registers on, under each rule, stopped and not."""
    network = early(random_network(5, sizes=(10, 6, 3), probability_bits=(1, 1), members=2))
    images = random_images(network, 8)
    verilog = generate(network, tmp_path / "design")
    setups = {
        "vote": Setup(members=7, exit=VOTE),
        "vote-sums-only": Setup(members=6, exit=VOTE, member_logits=False, stalls=20),
        "vote-restarted": Setup(members=7, exit=VOTE, stalls=10, restart_after=260),
        "margin": Setup(members=9, exit=Exit(rule="margin", margin=1500), stalls=20),
        "at-two": Setup(members=3, exit=Exit(rule="margin")),
        "at-two-of-nine": Setup(members=9, exit=Exit(rule="margin")),
        "all-nine": Setup(members=9),
        "never": Setup(members=4, exit=Exit(rule="margin", margin=2**32 - 1)),
    }
    compared, cycles = 0, {}
    for name, setup in setups.items():
        verdict = verify(
            network,
            verilog,
            images,
            setup,
            "icarus",
            tmp_path / name,
            builds=tmp_path / "builds",
            processes=1,
            level="-O0",
        )
        assert verdict.equal, (name, verdict)
        assert verdict.comparison is not None
        assert verdict.outcome is not None
        compared += verdict.comparison.members
        counted = verdict.outcome.fields["members"]
        early_ones = (counted < setup.members).any()
        assert early_ones == (name not in ("never", "all-nine")), name
        cycles[name] = verdict.outcome.cycles_per_member
    print(f"members equal {compared}/{compared}")
    assert compared > 0
    assert cycles["at-two-of-nine"] < cycles["all-nine"] / 2
    built = build(network.name, verilog, "icarus", tmp_path / "builds", level="-O0")
    check_registers(built, network, tmp_path / "registers", stalls=30)


def test_registers() -> None:
    """EXIT takes its rules, MARGIN any word, neither while running."""
    bench = Registers(early(random_network(5)))

    async def steps(ctx: Any) -> None:
        for name, value, response in (
            ("EXIT", 2, OKAY),
            ("EXIT", 3, SLVERR),
            ("EXIT", 2**31, SLVERR),
            ("MARGIN", 2**32 - 1, OKAY),
            ("CONTROL", 1, OKAY),
            ("EXIT", 1, SLVERR),
            ("MARGIN", 1, SLVERR),
        ):
            assert await bench.write(ctx, name, value) == response, (name, value)
        assert await bench.read(ctx, "EXIT") == ctx.get(bench.dut.rule) == 2
        assert await bench.read(ctx, "MARGIN") == ctx.get(bench.dut.margin) == 2**32 - 1

    bench.run(steps)
    names = {register.name for register in registers(random_network(5))}
    assert not names & {"EXIT", "MARGIN"}


def test_study(tmp_path: Path) -> None:
    """A margin of 0 runs two members, one out of reach all; the vote's winners are those of all."""
    rng = np.random.default_rng(6)
    drawn = rng.integers(-900, 900, (60, 1, 5)) + rng.integers(-600, 600, (60, 8, 5))
    labels = rng.integers(0, 5, 60)
    found = curves(drawn, 8, labels, [0, 10**6])
    assert [row["mean_members"] for row in found["margin"]] == [2, 8]
    for key in ("accuracy", "nll", "vote_accuracy"):
        assert found["margin"][0][key] == pytest.approx(found["fixed"][1][key])
        assert found["margin"][1][key] == pytest.approx(found["fixed"][7][key])
    assert found["vote"]["vote_accuracy"] == found["fixed"][7]["vote_accuracy"]
    assert 5 <= found["vote"]["mean_members"] < 8
    assert sum(found["vote"]["counts"]) == 60
    model, picture = tmp_path / "model.safetensors", tmp_path / "exit.png"
    save_network(random_network(5, sizes=(784, 6, 10), probability_bits=(1, 1)), model)
    save_network(replace(load(model), input_shape=(28, 28, 1)), model)
    options = ["--images", "20", "--members", "5", "--report", str(picture)]
    run = CliRunner().invoke(group, ["study", "early-exit", str(model), *options])
    assert run.exit_code == 0, run.output
    assert "vote" in run.output
    assert picture.stat().st_size > 10_000
