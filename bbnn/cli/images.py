"""Which images a command takes: named sets, files, noise; each checked against the network."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from bbnn import data
from bbnn.data.files import locate
from bbnn.data.sets import CIFAR_10, DATA_SETS, FASHION_MNIST, MNIST, Images, Labels, by_name
from bbnn.description import Network
from bbnn.errors import InputError, require

NOISE_COUNT = 1_000
dataset_option = click.option(
    "--dataset",
    metavar="NAME|FILE.npy",
    help=f"{', '.join(data.NAMES)}, {data.NOISE}, or a file of uint8 (N, height, width, channels)"
    f" [the sample of the network's own set, else {data.NOISE}].",
)


def own_set(network: Network) -> str:
    """Return the data set whose classes the network names, Fashion-MNIST if there is none."""
    fitting = (name for name, each in DATA_SETS.items() if each.classes == network.classes)
    return next(fitting, FASHION_MNIST.name)


def sample_of(name: str) -> str | None:
    """Return the sample that ships of the data set `name`, if one does."""
    return next((sample for sample, whole in data.SAMPLES.items() if whole == name), None)


def default_sample(network: Network) -> str:
    """Return images of the network's shape that need no download."""
    fits = network.input_shape == (28, 28, 1)
    return (sample_of(own_set(network)) if fits else None) or data.NOISE


def default_test(network: Network) -> str:
    """Return the network's own set; its sample, if one ships, where the set is not here."""
    own = own_set(network)
    return own if locate(by_name(own)) else sample_of(own) or own


def default_ood(dataset: str) -> tuple[str, ...]:
    """Return the other of MNIST and Fashion-MNIST, and noise; of a CIFAR-10, what can be made.

    The other's sample for a sample, or where the full set is not here.
    """
    whole = data.SAMPLES.get(dataset, dataset)
    if whole == CIFAR_10.name:
        return data.NOISE, data.SHUFFLED
    other = FASHION_MNIST if whole == MNIST.name else MNIST
    sampled = dataset in data.SAMPLES or not locate(other)
    return (sample_of(other.name) if sampled else None) or other.name, data.NOISE


def images_for(network: Network, name: str) -> tuple[Images, Labels | None]:
    """Return the images that `--dataset` names, shape (N, *input_shape), and labels if they have.

    Raise `InputError` on other images than the network takes.
    """
    labels = None
    if name == data.NOISE:
        images = data.noise((NOISE_COUNT, *network.input_shape))
    elif name.endswith(".npy"):
        images = _array(Path(name))
    else:
        images, labels = data.load(name)
    require_shape(network, name, images)
    return images, labels


def require_shape(network: Network, name: str, images: Images) -> None:
    """Raise `InputError` unless these are images of the network's input."""
    require(images.dtype == np.uint8, name, "of type uint8", str(images.dtype))
    wanted = f"images of shape (N, {', '.join(map(str, network.input_shape))})"
    fits = images.ndim == 4 and len(images) > 0 and images.shape[1:] == network.input_shape
    require(fits, name, f"{wanted}, which {network.name} takes", images.shape)


def _array(path: Path) -> Images:
    require(path.is_file(), str(path), "an existing file", "missing")
    try:
        images: Images = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path} must be a whole .npy file, not this: {error}") from None
    require(isinstance(images, np.ndarray), str(path), "an array", type(images).__name__)
    return images
