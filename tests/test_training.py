"""Training: the export is exact, the layers sample what their codes say, the recipe repeats."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli import group
from bbnn.cli.info import _flat
from bbnn.data import SAMPLE, load, ood
from bbnn.description import Folding, Layer, Logits, Network, Threshold
from bbnn.errors import InputError
from bbnn.model_file import digest
from bbnn.model_file import load as load_model
from golden.evaluation import evaluate
from golden.lfsr import bits
from training.block import Block, RowSampling
from training.export import SEEDS, TrainedLayer, codes_of, layers_of
from training.recipes import RECIPES

SHIPPED = Path(__file__).parents[1] / "models" / "fashion-mlp.safetensors"


def trained_layer(rng: np.random.Generator, rows: int, columns: int, maximum: int) -> TrainedLayer:
    """Return a layer with gains of both signs whose thresholds fall inside the reach."""
    deviation = maximum * np.sqrt(rows) * rng.uniform(0.5, 2, columns)
    return TrainedLayer(
        probability=rng.uniform(size=(rows, columns)),
        mean=rng.normal(size=columns) * deviation,
        variance=deviation**2,
        gain=rng.uniform(0.2, 2, columns) * rng.choice([-1, 1], columns),
        bias=rng.normal(size=columns),
    )


def exported(trained: list[TrainedLayer], pixel_bits: int = 8) -> tuple[Layer, ...]:
    return layers_of(trained, blocks(*(len(layer.bias) for layer in trained)), pixel_bits)


def blocks(*sizes: int) -> list[Block]:
    """Return fully connected blocks of so many columns."""
    one = Folding(lanes_in=1, lanes_out=1)
    return [
        Block(name=f"layer_{index}", columns=columns, folding=one)
        for index, columns in enumerate(sizes)
    ]


def normalised(layer: TrainedLayer, sums: np.ndarray) -> np.ndarray:
    """Return what training computes of integer sums, in float64."""
    return layer.gain * (sums - layer.mean) / np.sqrt(layer.variance) + layer.bias


def integer_network(layers: tuple[Layer, ...], pixels: np.ndarray, weights: list[np.ndarray]):
    """Return the +-1 of every hidden layer and the logits, in int64 from the first pixel on."""
    drive, hidden = pixels.astype(np.int64), []
    for layer, matrix in zip(layers, weights, strict=True):
        sums = drive @ matrix.astype(np.int64)
        if isinstance(layer.neuron, Threshold):
            drive = np.where(sums >= layer.neuron.thresholds, 1, -1)
            hidden.append(drive)
        else:
            assert isinstance(layer.neuron, Logits)
            drive = sums * layer.neuron.scale + layer.neuron.offset
    return hidden, drive


def test_threshold_answers_the_sign_of_every_sum(rng: np.random.Generator) -> None:
    trained = [trained_layer(rng, 6, 40, 255), trained_layer(rng, 40, 3, 1)]
    layer = exported(trained)[0]
    assert isinstance(layer.neuron, Threshold)
    sums = np.arange(-layer.reach, layer.reach + 1)[:, np.newaxis]
    expected = normalised(trained[0], sums) >= 0
    turned = np.where(trained[0].gain < 0, -sums, sums)
    np.testing.assert_array_equal(turned >= layer.neuron.thresholds, expected)
    assert 0.1 < expected.mean() < 0.9
    assert (trained[0].gain < 0).any()


def test_negative_gain_turns_its_column_over(rng: np.random.Generator) -> None:
    trained = [trained_layer(rng, 6, 40, 255), trained_layer(rng, 40, 3, 1)]
    for before, after in zip(trained, exported(trained), strict=True):
        codes = codes_of(before.probability)
        expected = np.where(before.gain < 0, 2 - codes, codes)
        np.testing.assert_array_equal(after.codes, expected)


def test_threshold_beyond_the_reach_is_always_or_never(rng: np.random.Generator) -> None:
    layer = trained_layer(rng, 5, 2, 255)
    layer.mean[:] = [-1e7, 1e7]
    neuron = exported([layer, trained_layer(rng, 2, 3, 1)])[0].neuron
    assert isinstance(neuron, Threshold)
    always = np.where(layer.gain[0] > 0, -1275, 1276)
    assert neuron.thresholds.tolist() == [always, np.where(layer.gain[1] > 0, 1276, -1275)]


def test_logits_are_within_half_a_step_each(rng: np.random.Generator) -> None:
    trained = trained_layer(rng, 40, 10, 255)
    layer = exported([trained])[0]
    neuron = layer.neuron
    assert isinstance(neuron, Logits)
    sums = rng.integers(-layer.reach, layer.reach + 1, (50, 10))
    turned = np.where(trained.gain < 0, -sums, sums)
    found = (turned * neuron.scale + neuron.offset) / 2**neuron.fraction_bits
    bound = (np.abs(sums) + 1) / 2 / 2**neuron.fraction_bits
    assert (np.abs(found - normalised(trained, sums)) <= bound + 1e-9).all()


@pytest.mark.parametrize(
    ("bits_of", "codes"),
    [(1, [0, 0, 1, 1, 2, 2]), (2, [0, 1, 2, 2, 3, 4]), (8, [0, 64, 102, 154, 192, 256])],
)
def test_codes_are_the_nearest(bits_of: int, codes: list[int]) -> None:
    probability = np.array([0, 0.249, 0.4, 0.6, 0.751, 1])
    assert codes_of(probability, bits_of).tolist() == codes


def test_gain_of_zero_wrong(rng: np.random.Generator) -> None:
    layer = trained_layer(rng, 5, 2, 255)
    layer.gain[1] = 0
    with pytest.raises(InputError, match=r"^layer_0: gain must be different from 0, not '0'$"):
        exported([layer])


def test_seeds_lead_to_different_stretches_of_the_sequence() -> None:
    """Even 60 members of the largest layer share no 32-bit word at any offset."""
    count = 60 * (784 + 256)
    words = []
    for seed in SEEDS:
        stream = bits(seed, 32, count + 31).astype(np.uint32)
        words.append(sum(stream[place : place + count] << place for place in range(32)))
    everything = np.concatenate(words)
    assert everything[0] == SEEDS[0]
    assert len(np.unique(everything)) == len(SEEDS) * count


def small_model(
    seed: int, first: RowSampling | None = None, pixel_bits: int = 8
) -> tuple[Any, Any, np.ndarray]:
    """Return a calibrated 784-24-16-10 network, its draws' generator and what it reads of images.

    first : of the first layer. The images are 200.
    """
    torch = pytest.importorskip("torch")

    # Small products: threads would only wait for each other.
    torch.set_num_threads(1)
    from training.fit import examples, fit
    from training.model import Model
    from training.settings import Settings

    images, labels = load(SAMPLE)
    settings = Settings(
        seed=seed,
        epochs=2,
        batch=50,
        spread=2.0,
        learning_rate=0.03,
        kl_weight=1e-3,
        momentum=0.9,
        bias_rate=3e-3,
        gain=1.5,
        pixel_dropout=0.1,
        shift=0,
        flip=False,
        sharpness=1.2,
        calibration_images=500,
        calibration_members=4,
    )
    generator = torch.Generator().manual_seed(seed)
    sizes = blocks(24, 16, 10)
    sizes[0] = dataclasses.replace(sizes[0], sampling=first)
    model = Model(sizes, (28, 28, 1), settings.spread, settings.gain, generator)
    losses = []
    shown = examples(images, labels, pixel_bits)
    fit(model, shown, settings, lambda epoch, loss: losses.append(loss))
    assert losses[1] < losses[0]
    return model, generator, images[:200].reshape(200, -1) // 2 ** (8 - pixel_bits)


@pytest.mark.torch
@pytest.mark.parametrize("pixel_bits", [8, 2])
def test_integer_network_equals_the_trained_one(pixel_bits: int) -> None:
    """Same weights, same images: every hidden bit equal, logits within the fixed point's step."""
    model, generator, pixels = small_model(4, pixel_bits=pixel_bits)
    from training.layer import Draw

    layers = exported([layer.trained() for layer in model.layers], pixel_bits)
    assert (layers[0].drive.bits, pixels.max()) == (pixel_bits, 2**pixel_bits - 1)
    neuron = layers[-1].neuron
    assert isinstance(neuron, Logits)
    draws = model.sample(generator)
    weights = [draw.weights.detach().double() for draw in draws]
    draws = [Draw(matrix) for matrix in weights]
    model.double().eval()
    torch = sys.modules["torch"]
    raw = torch.from_numpy(pixels.astype(np.float64))
    hidden, logits = integer_network(layers, pixels, [each.numpy() for each in weights])
    compared = 0
    for depth, found in enumerate(hidden, start=1):
        np.testing.assert_array_equal(model.hidden(raw, draws, depth).detach().numpy(), found)
        assert 0.05 < (found == 1).mean() < 0.95
        compared += found.size
    assert compared == 200 * (24 + 16)
    expected = model(raw, draws).detach().numpy()
    step = 2.0**-neuron.fraction_bits
    assert np.abs(logits * step - expected).max() <= (16 + 1) / 2 * step


@pytest.mark.torch
def test_sampled_weights_follow_the_codes() -> None:
    model, generator, _ = small_model(seed=4)
    layer = model.layers[0]
    codes = codes_of(layer.trained().probability)
    draws = np.stack([layer.draw(generator).weights.detach().numpy() for _ in range(200)])
    assert set(np.unique(draws)) == {-1, 1}
    assert (draws[:, codes == 0] == -1).all()
    assert (draws[:, codes == 2] == 1).all()
    coins = draws[:, codes == 1]
    # The mean of 200 coins has a deviation of 0.071.
    assert np.abs(coins.mean(axis=0)).max() < 6 * 0.071
    assert 0.02 < (codes == 1).mean() < 0.5


@pytest.mark.torch
def test_training_repeats() -> None:
    first, second, other = (small_model(seed)[0] for seed in (4, 4, 5))
    digests = [
        exported([layer.trained() for layer in model.layers])[0].codes.tobytes()
        for model in (first, second, other)
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.torch
def test_calibration_sees_every_member() -> None:
    """The statistics are the mean and variance of the sums over images and draws together."""
    model, generator, pixels = small_model(seed=4)
    torch = sys.modules["torch"]
    raw = torch.from_numpy(pixels.astype(np.float32))
    state = generator.get_state()
    model.calibrate(raw, 3, generator)
    generator.set_state(state)
    draws = [model.sample(generator) for _ in range(3)]
    sums = [(model.hidden(raw, draw, 2) @ draw[2].weights).detach() for draw in draws]
    together = torch.cat(sums).double().numpy()
    found = model.layers[2].trained()
    np.testing.assert_allclose(found.mean, together.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.variance, together.var(axis=0) + 1e-5, rtol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("group", [1, 28])
def test_groups_empty_in_training(group: int) -> None:
    """A penalty leaves far less randomness, in fewer groups; only the chosen ones stay random."""
    from training.sparsity import variances

    kept = 56 // group
    plain, pushed, chosen = (
        small_model(
            4,
            RowSampling(group=group, kept=kept, penalty=weight, chosen_after=share, kl_weight=30),
        )[0].layers[0]
        for weight, share in ((0.0, 2.0), (10.0, 2.0), (10.0, 0.5))
    )
    left = [variances(layer.lam.detach(), group).numpy() for layer in (plain, pushed)]
    assert left[1].mean() < 0.1 * left[0].mean()
    shares = [np.sort(each)[-kept:].sum() / each.sum() for each in left]
    assert shares[1] > 1.1 * shares[0]
    random = [(codes_of(layer.trained().probability) == 1).any(axis=1) for layer in (plain, chosen)]
    assert random[0].sum() > 700
    assert chosen.sampled.sum() == 56
    np.testing.assert_array_equal(random[1][~chosen.sampled.numpy()[:, 0]], False)
    # The prior brings coins back to the chosen rows.
    assert random[1].sum() > 28


@pytest.mark.parametrize("command", [("train", "fashion-mlp"), ("study", "scale-dropout")])
def test_without_torch_wrong(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name)
    )
    ran = CliRunner().invoke(group, command)
    assert isinstance(ran.exception, InputError)
    assert str(ran.exception).endswith("pip install '.[train]'")


def test_help_leaves_torch_alone() -> None:
    script = (
        "import sys; from bbnn.cli import group; import bbnn.cli.train, bbnn.cli.data;"
        "group(['train', '--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False"


def shipped() -> Network:
    return load_model(SHIPPED)


def test_shipped_network_is_the_one_described() -> None:
    network = shipped()
    shapes = [(layer.name, *layer.codes.shape, layer.probability_bits) for layer in network.layers]
    assert shapes == [("hidden_0", 784, 256, 1), ("hidden_1", 256, 256, 1), ("output", 256, 10, 1)]
    assert [layer.noise and layer.noise.seed for layer in network.layers] == list(SEEDS[:3])
    assert [layer.noise and layer.noise.row_bits for layer in network.layers] == [1, 1, 1]
    assert (network.ensemble.members, network.ensemble.stratified) == (10, False)
    assert network.figures["recipe"]["seed"] >= 0


def test_shipped_network_knows_the_sample() -> None:
    """On the 1,000 shipped images, T = 20; its 10,000 say more, and stand in the figures."""
    images, labels = load(SAMPLE)
    found = evaluate(shipped(), images, labels, {}, 20).figures
    # One standard deviation of 1,000 images is 0.01.
    assert found["accuracy"] >= shipped().figures["test"]["accuracy"] - 0.03


@pytest.mark.slow
def test_shipped_figures_are_measured_again() -> None:
    network = shipped()
    try:
        images, labels = load("fashion-mnist", "test")
        strangers = {name: ood(name, images) for name in RECIPES["fashion-mlp"].ood}
    except InputError as error:
        pytest.skip(str(error))
    found = evaluate(network, images, labels, strangers, 20).figures
    del found["image_members_per_second"]
    assert dict(_flat(found)) == pytest.approx(dict(_flat(network.figures["test"])), abs=1e-9)


@pytest.mark.slow
@pytest.mark.torch
def test_train_writes_a_model(tmp_path: Path) -> None:
    try:
        for name in ("fashion-mnist", "mnist", "cifar-10"):
            load(name, "test")
    except InputError as error:
        pytest.skip(str(error))
    output = tmp_path / "new" / "quick.safetensors"
    arguments = ["train", "fashion-mlp", "--epochs", "1", "-o", str(output), "--json"]
    ran = CliRunner().invoke(group, arguments)
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    network = load_model(output)
    assert told["digest"] == digest(network)
    assert told["test"] == network.figures["test"]
    assert told["recipe"]["epochs"] == 1
    assert told["test"]["accuracy"] > 0.75
