"""`bbnn report`: the page shows what the JSON says, and nothing of it is drawn from elsewhere."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib.image import imread

from bbnn.cli import emit, group
from bbnn.cli import report as report_command
from bbnn.errors import InputError
from bbnn.model_file import digest, load, save_network
from bbnn.page.charts import round_ticks
from bbnn.page.names import amount, digits, named
from bbnn.page.pixels import image, shades
from bbnn.page.sources import SOURCES
from networks import random_network
from pages import documents, small_model


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and, in `json`, what the commands print of it."""
    folder = tmp_path_factory.mktemp("report")
    documents(small_model(folder / "model.safetensors"), folder / "json")
    return folder


@pytest.fixture
def model(shared: Path) -> Path:
    return shared / "model.safetensors"


def page(model: Path, folder: Path, output: Path, *options: str) -> str:
    options = ("--from", str(folder), "-o", str(output), *options)
    result = run("report", model, "--run", "none", *options)
    assert result.stdout.splitlines()[-1] == str(output)
    return output.read_text()


def decoded(uri: str) -> np.ndarray[Any, Any]:
    return imread(BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def test_pixels_are_those_of_the_image(rng: np.random.Generator) -> None:
    grey, colour = (rng.integers(0, 256, (5, 7, n), np.uint8) for n in (1, 3))
    np.testing.assert_array_equal(np.rint(255 * decoded(image(grey))), 255 - grey[..., 0])
    np.testing.assert_array_equal(np.rint(255 * decoded(image(colour))), colour)


@pytest.mark.parametrize("width", [4, 5])
def test_shades_are_opacity(width: int, rng: np.random.Generator) -> None:
    values = rng.integers(0, 16, (3, width)) / 15
    found = decoded(shades(values, (217, 82, 44)))
    np.testing.assert_allclose(found[..., 3], values, atol=1e-6)
    np.testing.assert_array_equal(
        np.rint(255 * found[..., :3]), np.full((3, width, 3), (217, 82, 44))
    )


def test_names_and_amounts() -> None:
    assert [named(each) for each in ("fashion-mnist-1000", "noise")] == [
        "Fashion-MNIST-1000",
        "noise",
    ]
    assert amount(1.005e-6, "J") == ("1", "µJ")
    assert amount(0.1476, "mm2") == ("0.148", "mm²")
    assert [digits(value) for value in (0, 5e-5, 0.25, 99.96, 5194.2)] == [
        "0",
        "0.00005",
        "0.25",
        "100",
        "5,194",
    ]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [((0.31, 0.342), [0.31, 0.32, 0.33, 0.34]), ((-3, 9), [0, 5]), ((0, 4), [0, 1, 2, 3, 4])],
)
def test_round_ticks(ends: tuple[float, float], ticks: list[float]) -> None:
    assert round_ticks(*ends) == ticks


def test_page_has_the_figures_of_every_json(shared: Path, model: Path, tmp_path: Path) -> None:
    text = page(model, shared / "json", tmp_path / "page.html")
    told = {name: json.loads((shared / f"json/{name}.json").read_text()) for name in SOURCES}
    found = told["evaluate"]
    for expected in (
        f"{found['nll']:.4f}",
        f"{found['deterministic']['brier']:.4f}",
        f"AUROC against {named(next(iter(found['ood'])))}",
        *(f">{sum(found['entropies']['ood'][name]):,}<" for name in found["ood"]),
        f"{len(told['members']['seeds'])} seeds",
        *(f">{count:,}<" for count in told["cycles"]["stages"].values()),
        "12,345 of 53,200, 23.2",
        "Projected, not measured",
        *(
            " ".join(amount(part["energy"]["typical"], "J"))
            for part in told["project"]["parts"].values()
        ),
        f"<td>{digits(told['project']['nominal']['gops_per_watt']['typical'])}<small>",
    ):
        assert expected in text
    images = found["examples"]
    count = sum(map(len, (images["surest"], images["least sure"], *images["ood"].values())))
    assert text.count('alt="Image ') == count > 18
    assert text.count("<figure>") >= 9
    assert "Not run" not in text


def test_page_needs_nothing_else(shared: Path, model: Path, tmp_path: Path) -> None:
    """No script, no address outside, and the page itself forbids both."""
    text = page(model, shared / "json", tmp_path / "page.html")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<link|<iframe|@import|https?://|url\(", text)
    sources = re.findall(r'(?:src|href|srcset|data|action)="([^"]*)"', text)
    assert len(sources) > 18
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_same_json_same_bytes(shared: Path, model: Path, tmp_path: Path) -> None:
    first = page(model, shared / "json", tmp_path / "a.html")
    assert page(model, shared / "json", tmp_path / "b.html") == first
    changed = tmp_path / "json"
    changed.mkdir()
    for path in (shared / "json").iterdir():
        told = json.loads(path.read_text())
        if path.name == "evaluate.json":
            told["nll"] += 0.5
        (changed / path.name).write_text(json.dumps(told))
    other = page(model, changed, tmp_path / "c.html")
    assert other.replace(str(changed), str(shared / "json")) != first


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "synth"])
def test_commands_on_the_page_print_the_same_json(name: str, shared: Path, model: Path) -> None:
    """What the page says reproduces a figure does."""
    source = SOURCES[name]
    told = json.loads((shared / f"json/{name}.json").read_text())
    program, *words = shlex.split(source.command(model, told))
    assert program == "bbnn"
    again = json.loads(run(*words).stdout)
    for each in (again, told):
        each.pop("image_members_per_second", None)
    assert again == told


def test_missing_json_is_said(shared: Path, model: Path, tmp_path: Path) -> None:
    text = page(model, tmp_path / "empty", tmp_path / "page.html")
    assert not (tmp_path / "empty").exists()
    assert text.count("Not run") == 8
    for name, source in SOURCES.items():
        line = f"{source.command(model)} &gt; {tmp_path / 'empty' / name}.json"
        assert line in text
    assert 'id="network"' in text
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "evaluate.json").write_bytes((shared / "json/evaluate.json").read_bytes())
    text = page(model, folder, tmp_path / "page.html")
    assert text.count("Not run") == 3
    assert "NLL of the first T members" in text


def test_command_tells_what_it_read(shared: Path, model: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "json", tmp_path / "page.html"
    folder.mkdir()
    (folder / "cycles.json").write_bytes((shared / "json/cycles.json").read_bytes())
    told = json.loads(
        run("report", model, "--run", "none", "--from", folder, "-o", output, "--json").stdout
    )
    assert told["page"] == str(output)
    assert told["read"] == [str(folder / "cycles.json")]
    assert [line.split()[1] for line in told["missing"]] == [
        "evaluate",
        "study",
        "synth",
        "project",
    ]


Break = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("cycles", lambda told: told.update(digest="0" * 64)),
        ("synth", lambda told: told.pop("digest")),
    ],
)
def test_json_of_another_model_is_refused(
    name: str, broken: Break, shared: Path, model: Path, tmp_path: Path
) -> None:
    told = json.loads((shared / f"json/{name}.json").read_text())
    short = told["digest"][:12]
    broken(told)
    wrong = "('000000000000'|None)"
    message = rf"{name}\.json: digest must be that of the model, {short}, not {wrong}$"
    refused(json.dumps(told), name, message, model, tmp_path)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("evaluate", lambda told: told.pop("reliability")),
        ("evaluate", lambda told: told["examples"]["surest"][0].update(pixels="AAAA")),
        ("members", lambda told: told.pop("reference")),
        ("members", lambda told: told.pop("needed")),
        ("cycles", lambda told: told.update(stages=[])),
        ("project", lambda told: told["parts"].update(x={})),
    ],
)
def test_json_of_another_form_is_refused(
    name: str, broken: Break, shared: Path, model: Path, tmp_path: Path
) -> None:
    told = json.loads((shared / f"json/{name}.json").read_text())
    broken(told)
    words = " ".join(SOURCES[name].words)
    message = rf"{name}\.json must be as `bbnn {words} --json` prints it, not this: \w+Error: "
    refused(json.dumps(told), name, message, model, tmp_path)


def test_numbers_that_are_none_are_refused(shared: Path, model: Path, tmp_path: Path) -> None:
    told = json.loads((shared / "json/evaluate.json").read_text())
    told["images"] = "many"
    refused(json.dumps(told), "evaluate", " must be as the commands print it, not", model, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "must be JSON, not this: "), ("[]", "must be a JSON object, not 'list'")],
)
def test_no_json_is_refused(content: str, message: str, model: Path, tmp_path: Path) -> None:
    refused(content, "evaluate", rf"evaluate\.json {message}", model, tmp_path)


def refused(content: str, name: str, message: str, model: Path, folder: Path) -> None:
    """Assert that a file's content is refused in one line, and that no page is left."""
    (folder / f"{name}.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        page(model, folder, folder / "page.html")
    assert "\n" not in str(caught.value)
    assert [path.name for path in folder.iterdir()] == [f"{name}.json"]


def test_page_is_whole_or_not_at_all(
    shared: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="--output must be a file, not "):
        page(model, shared / "json", tmp_path)

    def full(path: Path, content: bytes) -> int:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        page(model, shared / "json", tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_missing_json_is_run_once(
    shared: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there stays, what is slow is left out, and a second run runs nothing."""
    folder = tmp_path / "json"
    folder.mkdir()
    for name in ("evaluate", "project"):
        (folder / f"{name}.json").write_bytes((shared / f"json/{name}.json").read_bytes())
    arguments = ("report", model, "--from", folder, "-o", tmp_path / "page.html")
    assert run(*arguments).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "cycles.json",
        "evaluate.json",
        "project.json",
    ]
    expected = json.loads(run("cycles", model, "--json").stdout)
    assert json.loads((folder / "cycles.json").read_text()) == expected
    first = (tmp_path / "page.html").read_bytes()
    monkeypatch.setattr(report_command, "fill", lambda *_: pytest.fail("ran again"))
    run(*arguments)
    assert (tmp_path / "page.html").read_bytes() == first


def test_a_refusal_is_told(tmp_path: Path) -> None:
    """The page can do without: not every study fits every network."""
    path, folder = tmp_path / "plain.safetensors", tmp_path / "json"
    network = random_network(sizes=(784, 16, 10), probability_bits=(0, 0))
    save_network(replace(network, input_shape=(28, 28, 1)), path)
    folder.mkdir()
    refused = report_command.fill([SOURCES["members"], SOURCES["cycles"]], path, folder)
    assert refused == {"study members": "layers must be with sampled weights, not 'random_network'"}
    assert [each.name for each in folder.iterdir()] == ["cycles.json"]
    text = page(path, folder, tmp_path / "page.html")
    assert "Nothing in it is left to chance" in " ".join(text.split())


@pytest.mark.parametrize("name", SOURCES)
def test_sources_are_commands(name: str) -> None:
    context, command = click.Context(group), group
    for word in SOURCES[name].words:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command = found
    assert {"model", "as_json"} <= {parameter.name for parameter in command.params}


def test_texts_are_escaped(shared: Path, tmp_path: Path) -> None:
    """A class's name comes from a file that somebody else may have written."""
    hostile = "<script>alert(1)</script>"
    path = tmp_path / "hostile.safetensors"
    old = load(small_model(path))
    new = replace(old, classes=(hostile, *old.classes[1:]))
    save_network(new, path)
    folder = tmp_path / "json"
    folder.mkdir()
    told = json.loads((shared / "json/evaluate.json").read_text())
    for each in told["examples"]["surest"]:
        each["q"] = [1.0, *[0.0] * 9]
    told |= {"digest": digest(new), "dataset": hostile}
    for each in (told, told["deterministic"], told["entropies"], told["examples"]):
        each["ood"][hostile] = each["ood"].pop("noise")
    (folder / "evaluate.json").write_text(json.dumps(told))
    text = page(path, folder, tmp_path / "page.html")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 6


def test_emitted_figures_are_finite() -> None:
    with pytest.raises(ValueError, match="JSON"):
        emit({"reliability": [float("nan")]})
